//! Made-up names for the demonstration, each in both scripts. Any likeness is chance.

use qism_signaling::protocol::{Name, snapshot::Spelling};

type Pair = (&'static str, &'static str);

const GIVEN: [Pair; 30] = [
    ("سلمى", "Salma"),
    ("ياسين", "Yassine"),
    ("هاجر", "Hajar"),
    ("أيوب", "Ayoub"),
    ("مريم", "Meryem"),
    ("عمر", "Omar"),
    ("نهيلة", "Nouhaila"),
    ("آدم", "Adam"),
    ("خديجة", "Khadija"),
    ("أنس", "Anas"),
    ("دعاء", "Douae"),
    ("زكرياء", "Zakaria"),
    ("إكرام", "Ikram"),
    ("حمزة", "Hamza"),
    ("شيماء", "Chaimae"),
    ("بلال", "Bilal"),
    ("ملاك", "Malak"),
    ("إلياس", "Ilyas"),
    ("آية", "Aya"),
    ("ريان", "Rayane"),
    ("إيمان", "Imane"),
    ("طه", "Taha"),
    ("فرح", "Farah"),
    ("مروان", "Marouane"),
    ("لينا", "Lina"),
    ("أمين", "Amine"),
    ("وئام", "Wiam"),
    ("سعد", "Saad"),
    ("هبة", "Hiba"),
    ("نوفل", "Naoufal"),
];

const FAMILY: [Pair; 23] = [
    ("العلوي", "El Alaoui"),
    ("بنعلي", "Benali"),
    ("الإدريسي", "El Idrissi"),
    ("أمزيان", "Amziane"),
    ("الفاسي", "El Fassi"),
    ("بوعزة", "Bouazza"),
    ("التازي", "Tazi"),
    ("أوبيهي", "Oubihi"),
    ("الراجي", "Raji"),
    ("الصقلي", "Skalli"),
    ("بنجلون", "Benjelloun"),
    ("أيت باها", "Ait Baha"),
    ("المنصوري", "El Mansouri"),
    ("الشرقاوي", "Cherkaoui"),
    ("حجي", "Hajji"),
    ("الوزاني", "Ouazzani"),
    ("بلحاج", "Belhaj"),
    ("الناصري", "Naciri"),
    ("أزولاي", "Azoulay"),
    ("القادري", "Kadiri"),
    ("لمرابط", "Lamrabet"),
    ("السباعي", "Sbai"),
    ("بوزيد", "Bouzid"),
];

/// Three students bear this name, two of them in one class.
const NAMESAKE: (Pair, Pair) = (("مريم", "Meryem"), ("بنعلي", "Benali"));
const NAMESAKES: [usize; 3] = [7, 21, 66];

/// The name of the demonstration's student number `index`; a tenth lack one of the two scripts.
pub fn student(index: usize) -> Name {
    // 30 and 23 share no divisor: all 690 pairs come before one comes again.
    let (given, family) = if NAMESAKES.contains(&index) {
        NAMESAKE
    } else {
        (GIVEN[index % GIVEN.len()], FAMILY[index % FAMILY.len()])
    };
    let mut name = both(given, family);
    match index % 20 {
        5 => name.latin = None,
        15 => name.arabic = None,
        _ => {}
    }
    name
}

pub fn both(given: Pair, family: Pair) -> Name {
    let spelling = |given: &str, family: &str| Spelling { given: given.into(), family: family.into() };
    Name { arabic: Some(spelling(given.0, family.0)), latin: Some(spelling(given.1, family.1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_students_three_namesakes_and_a_tenth_with_one_script() {
        let names: Vec<Name> = (0..90).map(student).collect();
        let namesakes = names.iter().filter(|name| **name == both(NAMESAKE.0, NAMESAKE.1)).count();
        let one_script = names.iter().filter(|name| name.arabic.is_none() || name.latin.is_none()).count();
        assert_eq!((namesakes, one_script), (3, 9));
        assert!(names.iter().all(|name| name.arabic.is_some() || name.latin.is_some()));
    }
}
