// What a teacher shares: the tab that screen sharing picks in these tests.
import { SHARED_TAB } from './browser.mjs';

/** Changes twice a second. */
export const SLIDE = `<title>${SHARED_TAB}</title><body style="font:bold 90px sans-serif"><p>قسم</p><p id="now"></p><script>setInterval(() => (now.textContent = new Date().toISOString()), 500)</script>`;
/** Noise in a corner: as many bits as a film, so that a narrow link has something to leave out. */
export const FILM = `const film = document.body.appendChild(document.createElement('canvas')); film.width = 480; film.height = 270; const brush = film.getContext('2d');
setInterval(() => { const picture = brush.createImageData(480, 270); crypto.getRandomValues(picture.data.subarray(0, 65536)); picture.data.forEach((_, i) => { picture.data[i] = i % 4 === 3 ? 255 : picture.data[i % 65536]; }); brush.putImageData(picture, 0, 0); }, 200)`;
