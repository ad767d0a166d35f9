// A teacher whose network hardly takes her voice: a link of her own in a namespace. Needs root and iproute2.
import { CHROMIUM, launch, PHONE } from './support/browser.mjs';
import { eventually, hears, never, sees } from './support/identity.mjs';
import { inNamespace, loseOnCable, openFarEnd } from './support/network.mjs';
import { openSchool } from './support/school.mjs';
import { Person } from './support/person.mjs';
import { before, opened, test } from './support/scene.mjs';
import { FILM, SLIDE } from './support/slides.mjs';

const TEACHER = { login: 'teacher1', language: 'fr', hue: 200, hz: 700 };
/** What the voice takes with its headers, and not with the least of pictures. */
const NARROW_KBPS = 60;
/** Chromium reports on a voice every two and a half to seven and a half seconds; two reports in a row would stop pictures. */
const REPORTED_MS = 18_000;

inNamespace('a teacher on a narrow link', import.meta.url, 3, () => {
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

  test('loses two fifths of her voice, which nobody takes for a weak network of the student', async () => {
    const rests = teacher.page.getByText(teacher.t('connection.cameraRests')).first();
    const weak = student.page.getByText(student.t('connection.weak')).first();
    loseOnCable(40);
    await rests.waitFor();
    await never('the student reads of a weak network', () => weak.isVisible(), REPORTED_MS);
    loseOnCable(0);
    await rests.waitFor({ state: 'hidden', timeout: 120_000 });
    await eventually('the picture is back', () => sees(student.page, TEACHER.hue), 120_000);
    await eventually('the voice is whole', () => hears(student.page, TEACHER.hz));
  });

  test('shares a screen over it: her voice is heard, and she reads that the screen comes late', async () => {
    const slides = await teacher.context.newPage();
    await slides.setContent(SLIDE);
    await slides.evaluate(FILM);
    await teacher.page.bringToFront();
    await teacher.button('bar.cameraOff').click();
    await teacher.button('bar.screenOn').click();
    await teacher.page.getByText(teacher.t('lesson.ownScreen')).first().waitFor();
    scene.far.be({ kbps: NARROW_KBPS, delay_ms: 20 });
    const slow = teacher.page.getByText(teacher.t('connection.screenSlow')).first();
    await slow.waitFor();
    await eventually('the voice is there', () => hears(student.page, TEACHER.hz));
    scene.far.be({});
    await slow.waitFor({ state: 'hidden', timeout: 120_000 });
    await teacher.button('bar.screenOff').click();
  });
});
