// A lesson through every state a screen can be in, seen by teacher, students and director: each is free of what a person would
// stumble over. With QISM_PICTURES=folder each leaves a picture.
import assert from 'node:assert/strict';
import { launch, LAPTOP, SHARED_TAB, SMALL_PHONE } from './support/browser.mjs';
import { eventually, sees } from './support/identity.mjs';
import { look } from './support/look.mjs';
import { Person } from './support/person.mjs';
import { before, describe, opened, test } from './support/scene.mjs';

const NAMES = { student1: { ar: 'سلمى العلوي', fr: 'Salma El Alaoui' } };
const RUNS = [
  { language: 'ar', device: SMALL_PHONE, width: '320' },
  { language: 'fr', device: LAPTOP, width: 'laptop' },
];

for (const { language, device, width } of RUNS) {
  describe(`every state in ${language} on ${width}`, { concurrency: false }, () => {
    const scene = opened();
    let teacher, salma, yassine, director;
    const problems = [];
    const open = (login, more = {}) => scene.person({ login, language, device, bypassCSP: true, ...more });
    const see = async (person, name) => problems.push(...(await look(person, `${width}-${language}-${name}`)));
    /** Runs the steps, then tells what was seen. */
    const state = (name, steps) =>
      test(name, async () => {
        await steps();
        assert.deepEqual(problems.splice(0), []);
      });
    const dialog = (person) => person.page.getByRole('dialog');
    const more = (person) => person.page.getByRole('button', { name: person.t('common.more'), exact: true });
    const item = (person, key) => person.page.getByRole('menuitem', { name: new RegExp(person.t(key)) });
    const closeDialog = async (person) => {
      // Some come with a part of the app that is loaded when it is needed.
      await dialog(person).waitFor();
      await person.page.keyboard.press('Escape');
      await dialog(person).waitFor({ state: 'hidden' });
    };

    before(async () => {
      teacher = await open('teacher1', { hue: 200 });
      salma = await open('student1', { hue: 120, hz: 700 });
      yassine = await open('student2', { hue: 30, hz: 1000 });
    });

    state('signing in wrongly', async () => {
      await teacher.page.goto(scene.school.url);
      await teacher.speak(language);
      await teacher.page.getByRole('button', { name: teacher.t('signIn.submit'), exact: true }).click();
      await see(teacher, 'sign-in-empty');
      await teacher.page.getByLabel(teacher.t('signIn.login'), { exact: true }).fill('teacher1');
      await teacher.page.getByLabel(teacher.t('signIn.password'), { exact: true }).fill('wrong');
      await teacher.page.getByRole('button', { name: teacher.t('signIn.submit'), exact: true }).click();
      await teacher.page.getByText(teacher.t('signIn.wrong')).first().waitFor();
      await see(teacher, 'sign-in-wrong');
    });

    state('the check, also without devices and without permission', async () => {
      await salma.signIn();
      await salma.button('home.join').click();
      await salma.page.getByRole('heading', { name: salma.t('check.title') }).waitFor();
      await see(salma, 'check-student');
      await salma.button('check.join').click();
      await salma.page.getByText(salma.t('lesson.waitingTitle')).waitFor();
      await see(salma, 'waiting');
      const denied = await open('student4', { permissions: [] });
      await denied.signIn();
      await denied.button('home.join').click();
      await denied.page.getByText(denied.t('device.deniedTitle')).waitFor();
      await see(denied, 'check-denied');
      await denied.close();
      const bare = await open('student4');
      await bare.context.addInitScript(() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'));
      });
      await bare.signIn();
      await bare.button('home.join').click();
      await bare.page.getByText(bare.t('device.notFoundTitle')).waitFor();
      await see(bare, 'check-no-devices');
      await bare.close();
    });

    state('the teacher starts', async () => {
      await teacher.signIn();
      await teacher.button('home.start').or(teacher.button('home.open')).first().click();
      await teacher.page.getByRole('heading', { name: teacher.t('check.title') }).waitFor();
      await eventually('the own picture', () => sees(teacher.page, 200));
      await see(teacher, 'check-teacher');
      await teacher.button('check.startTeacher').or(teacher.button('check.enterTeacher')).first().click();
      await teacher.controls().waitFor();
      await yassine.signIn();
      await yassine.enterLesson();
      await eventually('the picture', () => sees(salma.page, 200));
      await see(teacher, 'lesson-teacher');
      await see(salma, 'lesson-student');
    });

    state('chat in three scripts', async () => {
      await teacher.say('السلام عليكم، افتحوا الكتاب صفحة 42');
      await salma.say('Bonjour Madame, هل الحل هو x = 5 ؟');
      await teacher.say('نعم: 3x + 5 = 20 ⇒ x = 5، راجع https://example.org/cours');
      await eventually(
        'the lines',
        async () =>
          (await yassine.openChat()) && (await yassine.line('Bonjour Madame, هل الحل هو x = 5 ؟').isVisible()),
      );
      await see(teacher, 'chat-teacher');
      await see(salma, 'chat-student');
    });

    if (width === '320') {
      state('a line is written over an open keyboard', async () => {
        const input = await salma.openChat();
        await input.tap();
        await salma.page.setViewportSize({ width: 320, height: 310 });
        await eventually('the newest line is still in sight', () =>
          salma.page.getByRole('log').evaluate((log) => log.scrollTop + log.clientHeight > log.scrollHeight - 4),
        );
        await input.fill('فهمت');
        await see(salma, 'keyboard');
        const box = await input.boundingBox();
        assert.ok(
          box.y >= 0 && box.y + box.height <= 310,
          `the line being written is on the screen: ${box.y} + ${box.height}`,
        );
        await salma.page.getByRole('button', { name: salma.t('chat.send') }).tap();
        await salma.line('فهمت').waitFor();
        await salma.page.setViewportSize(device.viewport);
        await salma.page.getByRole('log').tap();
        await salma.button('bar.hand').waitFor();
      });
    }

    state('hands, the floor and a student on the stage', async () => {
      await salma.button('bar.hand').click();
      await salma.button('bar.handDown').waitFor();
      await yassine.button('bar.hand').click();
      await teacher.button('bar.hands').click();
      await teacher.button('floor.giveTo').waitFor();
      await see(teacher, 'hands-teacher');
      await see(salma, 'hands-student');
      await teacher.button('floor.giveTo').click();
      await salma.page.getByRole('region', { name: salma.t('floor.mine') }).waitFor();
      await salma.button('bar.microphoneOn').click();
      await salma.button('bar.microphoneOff').waitFor();
      await see(teacher, 'floor-teacher');
      await see(salma, 'floor-student');
      await see(yassine, 'floor-other');
    });

    state('menus and windows', async () => {
      await more(teacher).click();
      await see(teacher, 'menu-more');
      await item(teacher, 'chat.settings').click();
      await see(teacher, 'chat-rules');
      await closeDialog(teacher);
      const name = NAMES.student1[language];
      await teacher.page.getByRole('tab', { name: new RegExp(teacher.t('bar.people')) }).click();
      const menu = teacher.page.getByRole('button', {
        name: new RegExp(`^${teacher.t('common.menuOf', { name: `.?${name}.?` })}`),
      });
      await menu.click();
      await see(teacher, 'menu-person');
      await item(teacher, 'act.remove').click();
      await see(teacher, 'remove');
      await closeDialog(teacher);
      await salma.button('bar.receive').click();
      await see(salma, 'receive');
      await closeDialog(salma);
      await more(salma).click();
      await item(salma, 'act.report').click();
      await see(salma, 'report');
      await dialog(salma).getByRole('textbox').fill('كلام غير لائق في الدردشة');
      await dialog(salma)
        .getByRole('button', { name: salma.t('report.send'), exact: true })
        .click();
      await salma.page.getByText(salma.t('report.sent')).first().waitFor();
      await see(salma, 'report-sent');
      await more(salma).click();
      await item(salma, 'settings.title').click();
      await see(salma, 'settings-student');
      await closeDialog(salma);
      await salma.button('bar.leave').click();
      await see(salma, 'leave');
      await closeDialog(salma);
      await teacher.button('bar.end').click();
      await see(teacher, 'end');
      await closeDialog(teacher);
    });

    state('the chat is closed', async () => {
      await more(teacher).click();
      await item(teacher, 'chat.settings').click();
      await teacher.page.getByRole('radio', { name: teacher.t('chat.modeClosed') }).check();
      await closeDialog(teacher);
      await yassine.page.getByText(yassine.t('chat.closedNote')).waitFor();
      await see(yassine, 'chat-closed');
    });

    state('a director visits, announced', async () => {
      director = await open('director');
      await director.signIn();
      await director.button('home.visit').waitFor();
      await see(director, 'home-director');
      await director.button('home.visit').click();
      await director.controls().waitFor();
      await salma.page
        .getByText(/زيارة|Visite/)
        .first()
        .waitFor();
      await eventually('the picture', () => sees(director.page, 200));
      await see(director, 'visit-director');
      await see(salma, 'visit-student');
      await see(teacher, 'visit-teacher');
    });

    if (width === 'laptop') {
      state('a shared screen', async () => {
        const slides = await teacher.context.newPage();
        await slides.setViewportSize({ width: 1280, height: 720 });
        await slides.setContent(
          `<title>${SHARED_TAB}</title><body style="background:hsl(180 100% 50%);font:60px sans-serif"><h1>3x + 5 = 20</h1><p id="t"></p><script>setInterval(()=>t.textContent=Date.now(),100)</script>`,
        );
        await teacher.page.bringToFront();
        await teacher.button('bar.screenOn').click();
        await eventually('the screen', () => sees(yassine.page, 180));
        await see(teacher, 'screen-teacher');
        await see(yassine, 'screen-student');
        await teacher.button('bar.screenOff').click();
        await slides.close();
      });
    }

    state('a network that is cut', async () => {
      await scene.school.stop('SIGKILL');
      for (const person of [teacher, salma])
        await person.page.getByText(person.t('connection.reconnectingHint')).first().waitFor();
      await see(teacher, 'cut-teacher');
      await see(salma, 'cut-student');
      await scene.school.restart();
      for (const person of [teacher, salma, yassine])
        await person.page.getByText(person.t('connection.reconnectingHint')).first().waitFor({ state: 'hidden' });
    });

    state('a network that lets no media through', async () => {
      const walled = await launch({
        args: ['--webrtc-ip-handling-policy=disable_non_proxied_udp', '--force-webrtc-ip-handling-policy'],
      });
      try {
        const student = await Person.open(walled, scene.school, {
          login: 'student5',
          language,
          device,
          bypassCSP: true,
        });
        await student.context.addInitScript(withoutTcp);
        await student.signIn();
        await student.enterLesson({ listenOnly: true });
        await student.page.getByText(student.t('connection.mediaBlocked')).first().waitFor();
        await see(student, 'media-blocked');
      } finally {
        await walled.close();
      }
    });

    state('a locked lesson', async () => {
      await more(teacher).click();
      await item(teacher, 'act.lock').click();
      await salma.page.getByText(salma.t('lesson.locked')).first().waitFor({ state: 'attached' });
      await see(teacher, 'locked-teacher');
      const late = await open('student3');
      await late.signIn();
      await late.button('home.join').click();
      await late.button('check.join').click();
      await late.page.getByText(late.t('over.lockedTitle')).waitFor();
      await see(late, 'over-locked');
      await late.close();
      await more(teacher).click();
      await item(teacher, 'act.unlock').click();
    });

    state('out of the lesson: elsewhere, removed, left, ended', async () => {
      const second = new Person(await salma.context.newPage(), salma.context, { ...salma });
      await second.page.goto(salma.page.url());
      await salma.page.getByText(salma.t('over.replacedTitle')).waitFor();
      await see(salma, 'over-replaced');
      await second.page.close();
      await salma.button('over.continueHere').click();
      await salma.controls().waitFor();
      await teacher.act(NAMES.student1[language], 'act.remove');
      await dialog(teacher)
        .getByRole('button', { name: teacher.t('remove.confirm'), exact: true })
        .click();
      await salma.page.getByText(salma.t('over.removedTitle')).waitFor();
      await see(salma, 'over-removed');
      await director.button('bar.leave').click();
      await dialog(director)
        .getByRole('button', { name: director.t('bar.leave'), exact: true })
        .click();
      await director.page.getByText(director.t('over.leftTitle')).waitFor();
      await see(director, 'over-left');
      await director.button('common.backHome').click();
      await director.page.getByText(director.t('reports.title')).waitFor();
      await see(director, 'home-director-reports');
      await teacher.button('bar.end').click();
      await teacher.button('end.confirm').click();
      await yassine.page.getByText(yassine.t('over.endedTitle')).waitFor();
      await see(yassine, 'over-ended');
      await see(teacher, 'over-ended-teacher');
      await teacher.button('common.backHome').click();
      await teacher.button('home.signOut').waitFor();
      await see(teacher, 'home-after');
    });
  });
}

/** Runs in a page before any script: as behind an HTTP proxy, where no connection of its own reaches the server either. */
function withoutTcp() {
  const take = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    return take.call(this, { type, sdp: sdp.replace(/a=candidate:\S+ 1 tcp .*\r\n/g, '') });
  };
}
