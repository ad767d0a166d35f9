// A teacher whose device encodes H.264 in hardware sends it only while everybody present decodes it. Firefox as Debian builds it
// does not: it joins, the camera comes in VP8, it leaves, H.264 comes back. Nobody ever looks at black.
import { launch } from './support/browser.mjs';
import { keepConnections } from './support/connections.mjs';
import { FirefoxPerson, launchFirefox } from './support/firefox.mjs';
import { eventually, sees } from './support/identity.mjs';
import { openSchool } from './support/school.mjs';
import { Person } from './support/person.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const TEACHER = { login: 'teacher1', hue: 0, hz: 440 };

/** Runs in the teacher's page: this machine has no encoder in hardware, so the browser is made to say what a phone's says. */
function withHardwareEncoder() {
  const ask = MediaCapabilities.prototype.encodingInfo;
  MediaCapabilities.prototype.encodingInfo = async function (asked) {
    const answer = await ask.call(this, asked);
    return {
      supported: answer.supported,
      smooth: answer.smooth,
      powerEfficient: asked.video?.contentType === 'video/H264',
    };
  };
}

/** In a receiving page: the codecs of pictures that are decoded right now. */
function decodedCodecs(page) {
  return page.evaluate(async () => {
    const decoded = async () => {
      const found = new Map();
      for (const connection of window.connections) {
        for (const report of (await connection.getStats()).values()) {
          if (report.type === 'inbound-rtp' && report.kind === 'video') found.set(report.id, report);
          if (report.type === 'codec') found.set(report.id, report);
        }
      }
      return found;
    };
    const before = await decoded();
    await new Promise((done) => setTimeout(done, 500));
    const after = await decoded();
    return [...after.values()]
      .filter(
        ({ type, id, framesDecoded }) => type === 'inbound-rtp' && framesDecoded > (before.get(id)?.framesDecoded ?? 0),
      )
      .map(({ codecId }) => after.get(codecId)?.mimeType);
  });
}

describe('H.264 only while everybody decodes it', { concurrency: false }, () => {
  const scene = opened({ school: () => openSchool(), chromium: () => launch(), firefox: () => launchFirefox() });
  let teacher, student, late;

  before(async () => {
    const { chromium, school } = scene;
    teacher = await Person.open(chromium, school, TEACHER);
    await teacher.context.addInitScript(withHardwareEncoder);
    student = await Person.open(chromium, school, { login: 'student1', hue: 120, hz: 700 });
    await student.context.addInitScript(keepConnections);
    for (const person of [teacher, student]) {
      await person.signIn();
      await person.enterLesson();
    }
    await teacher.turnCameraOn();
  });

  test('a class that decodes it gets it', async () => {
    await eventually('a picture in H.264', async () => (await decodedCodecs(student.page)).includes('video/H264'));
    await eventually('the picture is the teacher’s', () => sees(student.page, TEACHER.hue));
  });

  test('one who does not decode it joins: the camera comes in VP8, to everybody', async () => {
    late = await FirefoxPerson.open(scene.firefox, scene.school, { login: 'student2', hue: 240 });
    await late.signIn();
    await late.enterLesson();
    await eventually('the newcomer sees the teacher', () => sees(late.page, TEACHER.hue));
    await eventually('the others get VP8 too', async () => (await decodedCodecs(student.page)).includes('video/VP8'));
    await eventually('the picture is still the teacher’s', () => sees(student.page, TEACHER.hue));
  });

  test('who does not decode it leaves: H.264 comes back', async () => {
    await late.close();
    await eventually(
      'a picture in H.264',
      async () => (await decodedCodecs(student.page)).includes('video/H264'),
      60_000,
    );
    await eventually('the picture is still the teacher’s', () => sees(student.page, TEACHER.hue));
  });
});
