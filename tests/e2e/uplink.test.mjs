// A teacher whose network hardly takes her voice: a link of her own in a namespace. Needs root and iproute2.
import { CHROMIUM, launch, PHONE } from './support/browser.mjs';
import { eventually, hears, sees } from './support/identity.mjs';
import { inNamespace, openFarEnd } from './support/network.mjs';
import { openSchool } from './support/school.mjs';
import { Person } from './support/person.mjs';
import { before, opened, test } from './support/scene.mjs';

const TEACHER = { login: 'teacher1', language: 'fr', hue: 200, hz: 700 };
/** What the voice takes with its headers, and not with the least of pictures. */
const NARROW_KBPS = 60;

inNamespace('a teacher on a narrow link', import.meta.url, 1, () => {
  const scene = opened({
    far: () => openFarEnd(CHROMIUM, { slow: true }),
    school: async ({ far }) => {
      const school = await openSchool({ host: '0.0.0.0' });
      far.reach(school.port);
      school.url = `http://127.0.0.1:${school.port}`;
      return school;
    },
    browser: () => launch(),
    away: ({ far }) => launch({ executablePath: far.browser }),
  });
  let teacher, student;

  before(async () => {
    teacher = await Person.open(scene.away, scene.school, TEACHER);
    await teacher.signIn();
    await teacher.enterLesson();
    await teacher.turnCameraOn();
    student = await scene.person({ login: 'student1', device: PHONE });
    await student.signIn();
    await student.enterLesson({ listenOnly: true });
    await eventually('the picture', () => sees(student.page, TEACHER.hue));
  });

  test('gives up the camera for the voice, reads so, and has it back by herself', async () => {
    scene.far.be({ kbps: NARROW_KBPS, delay_ms: 20 });
    await teacher.page.getByText(teacher.t('connection.cameraRests')).first().waitFor();
    await eventually('the picture is gone', async () => !(await sees(student.page, TEACHER.hue)));
    await eventually('the voice is there', () => hears(student.page, TEACHER.hz));
    await teacher.button('bar.cameraOn').waitFor();
    scene.far.be({});
    await teacher.button('bar.cameraOff').waitFor({ timeout: 120_000 });
    await eventually('the picture is back', () => sees(student.page, TEACHER.hue));
    await teacher.page.getByText(teacher.t('connection.cameraRests')).first().waitFor({ state: 'hidden' });
  });
});
