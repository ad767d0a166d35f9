// A whole lesson in Arabic: one teacher and three students in real browsers over the real server. What counts is what a person
// sees (pixels of the sender's color) and hears (the sender's tone), not that something is "connected".
import assert from 'node:assert/strict';
import { LAPTOP, PHONE, SHARED_TAB } from './support/browser.mjs';
import { eventually, hears, never, sees } from './support/identity.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const TEACHER = { login: 'teacher1', hue: 0, hz: 440 };
const STUDENTS = [
  { login: 'student1', name: 'سلمى العلوي', hue: 120, hz: 700, device: PHONE },
  { login: 'student2', name: 'ياسين بنعلي', hue: 240, hz: 1000 },
  { login: 'student3', hue: 300, hz: 1300 },
];

const SLIDE = `<title>${SHARED_TAB}</title><html lang="ar" dir="rtl"><body style="margin:0;background:hsl(180 100% 50%);font:44px sans-serif">
  <div style="position:absolute;inset-block-start:55%;inset-inline:40px"><b>معادلة من الدرجة الأولى بمجهول واحد</b><p dir="ltr">3x + 5 = 20 &nbsp; ⇒ &nbsp; x = 5</p></div>
  <p id="t" style="font:24px monospace;margin:8px;position:absolute;inset-block-end:0"></p><script>setInterval(()=>t.textContent=Date.now(),100)</script>`;

describe('a lesson in Arabic', { concurrency: false }, () => {
  const scene = opened();
  let teacher, students, slides;

  before(async () => {
    teacher = await scene.person(TEACHER);
    students = [];
    for (const student of STUDENTS) students.push(await scene.person(student));
  });

  test('a student who is early waits for the teacher', async () => {
    await students[0].signIn();
    await students[0].enterLesson();
    await students[0].page.getByText(students[0].t('lesson.waitingTitle')).waitFor();
  });

  test('the teacher starts the lesson of now and everybody is in', async () => {
    await teacher.signIn();
    await teacher.enterLesson();
    for (const student of students.slice(1)) {
      await student.signIn();
      await student.enterLesson();
    }
    await students[0].page.getByText(students[0].t('lesson.waitingTitle')).waitFor({ state: 'hidden' });
  });

  test('every student hears the teacher', async () => {
    for (const student of students)
      await eventually(`${student.login} hears the teacher`, () => hears(student.page, TEACHER.hz));
  });

  test('every student sees the teacher', async () => {
    await teacher.turnCameraOn();
    for (const student of students)
      await eventually(`${student.login} sees the teacher`, () => sees(student.page, TEACHER.hue));
  });

  test('chat lines reach all, in order, whatever script they are in', async () => {
    const lines = ['السلام عليكم', 'Bonjour à tous', 'الحل هو x² + 3x = 10 إذن x = 2', 'https://example.org/تمرين'];
    await teacher.openChat();
    for (const [place, person] of [teacher, students[1], students[2], students[0]].entries()) {
      await person.say(lines[place]);
      await eventually(`the teacher reads ${lines[place]}`, async () =>
        (await teacher.page.getByRole('log').innerText()).includes(lines[place]),
      );
    }
    for (const person of [teacher, ...students]) {
      await person.openChat();
      for (const line of lines)
        await eventually(`${person.login} reads ${line}`, async () =>
          (await person.page.getByRole('log').innerText()).includes(line),
        );
    }
    const order = await teacher.page.getByRole('log').innerText();
    assert.deepEqual(
      [...lines].sort((a, b) => order.indexOf(a) - order.indexOf(b)),
      lines,
    );
  });

  test('a formula reads from left to right in an Arabic line, and in a French one', async () => {
    for (const [person, text, formula] of [
      [teacher, 'الحل هو 2 + 3 = 5 إذن', ['2', '+', '3', '=', '5']],
      [students[1], 'donc 7 − 4 = 3 والسلام', ['7', '−', '4', '=', '3']],
    ]) {
      await person.say(text);
      const line = students[0].page.getByRole('log').locator('.line-text').filter({ hasText: text });
      await line.waitFor();
      const places = await line.evaluate((element, formula) => {
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        const letters = [];
        for (let node = walker.nextNode(); node; node = walker.nextNode())
          for (let i = 0; i < node.data.length; i++) letters.push([node, i]);
        let from = 0;
        return formula.map((sign) => {
          from = letters.findIndex(([node, i], index) => index >= from && node.data[i] === sign);
          const range = document.createRange();
          range.setStart(...letters[from]);
          range.setEnd(letters[from][0], letters[from][1] + 1);
          from += 1;
          return Math.round(range.getBoundingClientRect().left);
        });
      }, formula);
      assert.deepEqual(
        places,
        [...places].sort((a, b) => a - b),
        `${text}: ${places}`,
      );
    }
  });

  test('markup in a line stays text', async () => {
    await students[1].say('<img src=x onerror=alert(1)><b>غليظ</b>');
    await eventually('the markup is text', async () =>
      (await teacher.page.getByRole('log').innerText()).includes('<b>غليظ</b>'),
    );
    assert.equal(await teacher.page.getByRole('log').locator('img').count(), 0);
  });

  test('without the floor the microphone says what to do instead', async () => {
    const microphone = students[1].button('bar.microphoneNeedsFloor');
    assert.equal(await microphone.getAttribute('aria-disabled'), 'true');
    await never('a student without the floor is heard', () => hears(teacher.page, STUDENTS[1].hz), 1500);
  });

  test('hand, floor, and the student is heard by all within a second of the tap', async () => {
    await students[1].button('bar.hand').click();
    await students[1].button('bar.handDown').waitFor();
    await students[2].button('bar.hand').click();
    await students[2].page
      .getByRole('button', { name: new RegExp(students[2].t('bar.handPlace', { place: '2' })) })
      .waitFor();
    await teacher.button('floor.giveTo').click();
    const microphone = students[1].button('bar.microphoneOn');
    await microphone.waitFor();
    await microphone.click();
    for (const person of [teacher, students[0], students[2]])
      await eventually(`${person.login} hears ${students[1].login}`, () => hears(person.page, STUDENTS[1].hz));
  });

  test('the teacher reloads while a student has the floor, and is heard and seen again', async () => {
    await teacher.page.reload();
    await teacher.controls().waitFor();
    for (const student of students)
      await eventually(`${student.login} hears the teacher again`, () => hears(student.page, TEACHER.hz));
    await eventually('the picture is back', () => sees(students[0].page, TEACHER.hue));
    await eventually('the student is still heard', () => hears(teacher.page, STUDENTS[1].hz));
  });

  test('the floor is taken back by one tap beside the speaker, and the packets stop', async () => {
    await teacher.button('floor.takeFrom').click();
    await eventually('silence', async () => !(await hears(students[0].page, STUDENTS[1].hz)));
    await never('heard without the floor', () => hears(students[2].page, STUDENTS[1].hz), 2000);
  });

  test('a shared screen is large on the students’ stage', async () => {
    slides = await teacher.context.newPage();
    await slides.setViewportSize({ width: 1280, height: 720 });
    await slides.setContent(SLIDE);
    await teacher.page.bringToFront();
    await teacher.button('bar.screenOn').click();
    for (const student of students)
      await eventually(`${student.login} sees the screen`, () => sees(student.page, 180), 20_000);
    const stage = await students[1].page.getByRole('region', { name: students[1].t('lesson.stage') }).boundingBox();
    if (process.env.QISM_PICTURES) {
      for (const [name, person] of Object.entries({
        teacher,
        'student-laptop': students[1],
        'student-phone': students[0],
      }))
        await person.page.screenshot({ path: `${process.env.QISM_PICTURES}/screen-${name}.png` });
    }
    assert.ok(stage.width > LAPTOP.viewport.width * 0.5, 'the stage takes more than half of the screen');
    await teacher.button('bar.screenOff').click();
    for (const student of students)
      await eventually('the screen is gone', async () => !(await sees(student.page, 180)));
  });

  test('a screen that is shared again is there again', async () => {
    await teacher.button('bar.screenOn').click();
    for (const student of students)
      await eventually(`${student.login} sees the screen`, () => sees(student.page, 180), 20_000);
    await teacher.button('bar.screenOff').click();
    await slides.close();
  });

  test('a reload is back in the lesson, with sound, without a tap, and nothing missed', async () => {
    await students[2].page.reload();
    await students[2].controls().waitFor();
    await teacher.say('بعد إعادة التحميل');
    await students[2].openChat();
    await students[2].line('بعد إعادة التحميل').waitFor();
    await students[2].line('السلام عليكم').waitFor();
    await eventually('the voice is back', () => hears(students[2].page, TEACHER.hz));
  });

  test('a server that dies and comes back loses no line', async () => {
    await scene.school.restart('SIGKILL');
    await students[0].say('بعد العودة');
    await eventually(
      'everybody is back',
      async () => (await teacher.openChat()) && (await teacher.line('بعد العودة').isVisible()),
      30_000,
    );
    await teacher.line('السلام عليكم').waitFor();
    await eventually('the voice is back', () => hears(students[1].page, TEACHER.hz), 30_000);
  });

  test('a removed student reads why, and may come back calmly', async () => {
    await teacher.act(STUDENTS[0].name, 'act.remove');
    await teacher.page
      .getByRole('dialog')
      .getByRole('button', { name: teacher.t('remove.confirm'), exact: true })
      .click();
    await students[0].page.getByText(students[0].t('over.removedTitle')).waitFor();
    await students[0].button('home.resume').click();
    await students[0].controls().waitFor();
  });

  test('the teacher ends the lesson for all', async () => {
    await teacher
      .controls()
      .getByRole('button', { name: teacher.t('bar.end'), exact: true })
      .click();
    await teacher.button('end.confirm').click();
    for (const student of students) await student.page.getByText(student.t('over.endedTitle')).waitFor();
  });

  test('nobody asked any other host, and no page had an error', () => {
    const { url: own } = scene.school;
    for (const person of [teacher, ...students]) {
      const foreign = person.requests.filter(
        (url) => !url.startsWith(own) && !url.startsWith(own.replace('http', 'ws')) && !/^(data|blob|about):/.test(url),
      );
      assert.deepEqual(foreign, []);
      assert.deepEqual(
        person.problems.filter((text) => !/WebSocket|ERR_CONNECTION|Failed to load resource|fetch/.test(text)),
        [],
      );
    }
  });
});
