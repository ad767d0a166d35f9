import type { Name, Person, Role } from '../../protocol/generated.ts';

const spelled: readonly [string, string, string, string][] = [
  ['أمينة', 'بنعلي', 'Amina', 'Benali'],
  ['يوسف', 'العلوي', 'Youssef', 'El Alaoui'],
  ['سلمى', 'أيت أوفقير', 'Salma', 'Aït Oufkir'],
  ['محمد أمين', 'بنسعيد', 'Mohamed Amine', 'Bensaïd'],
  ['خديجة', 'الإدريسي', 'Khadija', 'El Idrissi'],
  ['إلياس', 'تازي', 'Ilyas', 'Tazi'],
  ['مريم', 'الفاسي الفهري', 'Meryem', 'El Fassi El Fihri'],
  ['عمر', 'بوزيد', 'Omar', 'Bouzid'],
  ['هبة', 'الزهراوي', 'Hiba', 'Zahraoui'],
  ['أنس', 'المرابط', 'Anas', 'El Mrabet'],
  ['نور', 'حجي', 'Nour', 'Hajji'],
  ['زكرياء', 'القادري', 'Zakaria', 'El Kadiri'],
  ['فاطمة الزهراء', 'السباعي', 'Fatima-Zahra', 'Sbaï'],
  ['آدم', 'لحلو', 'Adam', 'Lahlou'],
];

/** Names as they come: some with one script only. */
export function nameNumber(index: number): Name {
  const [ag, af, lg, lf] = spelled[index % spelled.length] ?? ['', '', '', ''];
  return {
    arabic: index % 10 === 7 ? null : { given: ag, family: af },
    latin: index % 10 === 9 ? null : { given: lg, family: lf },
  };
}

/** A made-up person. */
export function person(index: number, role: Role = 'student'): Person {
  return { user: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, role, name: nameNumber(index) };
}
