// Takes the picture of a lesson for the README: node picture.mjs ../../web-client/pictures/lesson.png
import { launch, SHARED_TAB } from './support/browser.mjs';
import { openSchool } from './support/school.mjs';
import { Person } from './support/person.mjs';

const SLIDE = `<title>${SHARED_TAB}</title><html lang="ar" dir="rtl"><body style="margin:0;block-size:100vh;background:#fffdf7;color:#14352d;font-family:'Noto Sans Arabic','Noto Sans',sans-serif;display:grid;grid-template-columns:1fr 1fr;align-items:center;padding:0 60px;box-sizing:border-box">
  <div><h1 style="font-size:46px;line-height:1.6;margin:0 0 20px">معادلة من الدرجة الأولى بمجهول واحد</h1>
  <div dir="ltr" style="font:38px/1.8 'Noto Sans',sans-serif;text-align:right"><div>3x + 5 = 20</div><div>3x = 20 − 5</div><div style="color:#0f6b57;font-weight:700">x = 5</div></div></div>
  <svg viewBox="-1 -6 9 30" style="block-size:520px;inline-size:430px;justify-self:center" preserveAspectRatio="none" stroke-linecap="round"><g stroke="#c9c2b2" stroke-width=".06"><path d="M0 -5V23M-1 0H8"/></g>
  <g transform="matrix(1 0 0 -1 0 20)"><path d="M0 0V24M-1 0H7.6" stroke="#6b7a74" stroke-width=".08" fill="none"/><path d="M-1 2L6.2 23.6" stroke="#0f6b57" stroke-width=".12"/><path d="M-1 20H7.6" stroke="#b5481c" stroke-width=".1" stroke-dasharray=".35 .3"/><path d="M5 0V20" stroke="#b5481c" stroke-width=".08" stroke-dasharray=".35 .3"/></g></svg>
  <p id="t" style="position:absolute;inset-block-end:0;margin:4px;font:9px monospace;color:#d8d2c2"></p><script>setInterval(()=>t.textContent=Date.now(),100)</script>`;

/** Runs in the page before any script: a camera that sees a drawn teacher before a blackboard. */
function drawnCamera() {
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (!wanted.video) return original(wanted);
    const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
    const brush = canvas.getContext('2d');
    const shape = (color, path) => { brush.fillStyle = color; brush.beginPath(); path(); brush.fill(); };
    const draw = () => {
      shape('#24483f', () => brush.rect(0, 0, 1280, 720));
      brush.fillStyle = '#e9e4d4';
      brush.font = '54px sans-serif';
      brush.fillText('a x + b = c', 120 + Math.random(), 170);
      shape('#0d6e5a', () => brush.ellipse(760, 760, 330, 270, 0, 0, 7));
      shape('#7a4a2b', () => brush.ellipse(760, 350, 178, 210, 0, 0, 7));
      shape('#e7b48f', () => brush.ellipse(760, 370, 128, 158, 0, 0, 7));
      shape('#3a2417', () => { brush.ellipse(712, 350, 13, 15, 0, 0, 7); brush.ellipse(808, 350, 13, 15, 0, 0, 7); });
      shape('#b5563f', () => brush.ellipse(760, 440, 44, 20, 0, 0, Math.PI));
    };
    draw();
    setInterval(draw, 66);
    return canvas.captureStream(15);
  };
}

const school = await openSchool();
const browser = await launch();
try {
  const people = [];
  for (const login of ['teacher1', 'student2', 'student1', 'student3']) people.push(await Person.open(browser, school, { login, hz: 500 }));
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
  await watcher.page.waitForFunction(() => [...document.querySelectorAll('.stage video')].some((video) => video.videoWidth >= 1_000));
  await watcher.page.waitForTimeout(3_000); // the sharp picture comes after the first one
  await watcher.page.screenshot({ path: process.argv[2] ?? 'lesson.png' });
} finally {
  await browser.close();
  await school.close();
}
