// Takes the picture of a lesson for the README, on a laptop in Arabic and on a phone in French: node picture.mjs ../../web-client/pictures/lesson.png
import { launch, PHONE, SHARED_TAB } from './support/browser.mjs';
import { openSchool } from './support/school.mjs';
import { Person } from './support/person.mjs';

const SLIDE = `<title>${SHARED_TAB}</title><html lang="ar" dir="rtl"><body style="margin:0;block-size:100vh;background:#fffdf7;color:#14352d;font-family:'Noto Sans Arabic','Noto Sans',sans-serif;display:grid;grid-template-columns:1fr 1fr;align-items:center;padding:0 60px;box-sizing:border-box">
  <div><h1 style="font-size:46px;line-height:1.6;margin:0 0 20px">معادلة من الدرجة الأولى بمجهول واحد</h1>
  <div dir="ltr" style="font:38px/1.8 'Noto Sans',sans-serif;text-align:right"><div>3x + 5 = 20</div><div>3x = 20 − 5</div><div style="color:#0f6b57;font-weight:700">x = 5</div></div></div>
  <svg viewBox="0 0 430 520" style="direction:ltr;block-size:520px;inline-size:430px;justify-self:center;font:italic 24px 'Noto Serif','DejaVu Serif',serif" stroke-linecap="round" fill="none">
  <path d="M60 8V505M12 470H415M52 20L60 8L68 20M403 462L415 470L403 478" stroke="#6b7a74" stroke-width="3"/>
  <path d="M12 430L364 22" stroke="#0f6b57" stroke-width="5"/>
  <path d="M60 84H310V470" stroke="#b5481c" stroke-width="3" stroke-dasharray="9 8"/><circle cx="310" cy="84" r="8" fill="#b5481c"/>
  <g fill="#14352d"><text x="24" y="92">20</text><text x="38" y="372">5</text><text x="303" y="502" fill="#b5481c" font-weight="700">5</text><text x="398" y="456">x</text><text x="74" y="30">y</text><text x="118" y="210" fill="#0f6b57" transform="rotate(-49 118 210)">y = 3x + 5</text></g></svg>
  <p id="t" style="position:absolute;inset-block-end:0;margin:4px;font:9px monospace;color:#d8d2c2"></p><script>setInterval(()=>t.textContent=Date.now(),100)</script>`;

/** Runs in the page before any script: a camera that sees a drawn teacher before a blackboard. */
function drawnCamera() {
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (!wanted.video) return original(wanted);
    const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
    const brush = canvas.getContext('2d');
    const shape = (color, path) => {
      brush.fillStyle = color;
      brush.beginPath();
      path();
      brush.fill();
    };
    const draw = () => {
      shape('#24483f', () => brush.rect(0, 0, 1280, 720));
      brush.fillStyle = '#e9e4d4';
      brush.font = '54px sans-serif';
      brush.fillText('a x + b = c', 120 + Math.random(), 170);
      shape('#0d6e5a', () => brush.ellipse(760, 760, 330, 270, 0, 0, 7));
      shape('#7a4a2b', () => brush.ellipse(760, 350, 178, 210, 0, 0, 7));
      shape('#e7b48f', () => brush.ellipse(760, 370, 128, 158, 0, 0, 7));
      shape('#3a2417', () => {
        brush.ellipse(712, 350, 13, 15, 0, 0, 7);
        brush.ellipse(808, 350, 13, 15, 0, 0, 7);
      });
      shape('#b5563f', () => brush.ellipse(760, 440, 44, 20, 0, 0, Math.PI));
    };
    draw();
    setInterval(draw, 66);
    return canvas.captureStream(15);
  };
}

/** One picture of both, the phone before the laptop. */
async function sideBySide(page, laptop, phone, path) {
  const frame = (picture, style) =>
    `<img src="data:image/png;base64,${picture.toString('base64')}" style="display:block;border:10px solid #1b2420;box-shadow:0 18px 50px rgb(20 53 45 / 35%);${style}">`;
  await page.setViewportSize({ width: 1600, height: 860 });
  await page.setContent(`<body style="margin:0;block-size:860px;background:linear-gradient(135deg,#f6efe0,#d9e6df);position:relative;overflow:hidden">
    <div style="position:absolute;left:30px;top:80px">${frame(laptop, 'inline-size:1190px;border-radius:18px')}</div>
    <div style="position:absolute;right:30px;bottom:70px">${frame(phone, 'inline-size:310px;border-radius:34px')}</div>`);
  await page.screenshot({ path });
}

const school = await openSchool();
const browser = await launch();
try {
  const people = [];
  for (const [login, more] of [
    ['teacher1'],
    ['student2'],
    ['student1'],
    ['student3', { language: 'fr', device: PHONE }],
  ])
    people.push(await Person.open(browser, school, { login, hz: 500, ...more }));
  const [teacher, watcher, speaker, third] = people;
  await teacher.context.addInitScript(drawnCamera);
  for (const person of people) {
    await person.signIn();
    await person.enterLesson();
  }
  await teacher.say('السلام عليكم، افتحوا الكتاب صفحة 42');
  await third.say('Bonjour Madame, هل نبدأ بالتمرين الأول؟');
  await teacher.say('نعم. ما حل 3x + 5 = 20 ؟');
  await speaker.say('الحل هو 20 − 5 = 15 إذن x = 5');
  await watcher.say('شكرًا، فهمت');
  await speaker.button('bar.hand').click();
  await teacher.button('floor.giveTo').click();
  await speaker.button('bar.microphoneOn').click();
  await watcher.button('bar.hand').click();
  const slides = await teacher.context.newPage();
  await slides.setViewportSize({ width: 1280, height: 720 });
  await slides.setContent(SLIDE);
  await teacher.page.bringToFront();
  await teacher.button('bar.screenOn').click();
  await watcher.page.waitForFunction(() =>
    [...document.querySelectorAll('.stage video')].some((video) => video.videoWidth >= 1_000),
  );
  await watcher.page.waitForTimeout(3_000); // the sharp picture comes after the first one
  await third.page.waitForFunction(() =>
    [...document.querySelectorAll('.stage video')].some((video) => video.videoWidth >= 640),
  );
  await sideBySide(
    await browser.newPage(),
    await watcher.page.screenshot(),
    await third.page.screenshot(),
    process.argv[2] ?? 'lesson.png',
  );
} finally {
  await browser.close();
  await school.close();
}
