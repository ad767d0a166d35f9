/** A moving picture without a camera: a page of a lesson, or a face of colors. */
export function paintedStream(what: string): MediaStream {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = what === 'screen' ? [1280, 720] : [640, 360];
  const pen = canvas.getContext('2d') as CanvasRenderingContext2D;
  const paint = what === 'screen' ? () => paintPage(pen) : () => paintFace(pen, what);
  paint();
  setInterval(paint, 300);
  return canvas.captureStream(4);
}

function paintPage(pen: CanvasRenderingContext2D) {
  pen.fillStyle = '#fffdf6';
  pen.fillRect(0, 0, 1280, 720);
  pen.fillStyle = '#12332c';
  pen.font = '54px sans-serif';
  pen.textAlign = 'center';
  pen.fillText('المعادلات من الدرجة الأولى', 640, 120);
  pen.font = '72px serif';
  pen.fillText('3x + 5 = 20', 640, 320);
  pen.fillText('x = (20 − 5) ÷ 3 = 5', 640, 440);
  pen.fillStyle = '#b24f18';
  pen.fillRect(380, 470, 520, 6);
}

function paintFace(pen: CanvasRenderingContext2D, seed: string) {
  const hue = (Number(seed.slice(-3)) * 67) % 360;
  const ground = pen.createLinearGradient(0, 0, 640, 360);
  ground.addColorStop(0, `hsl(${hue} 30% 70%)`);
  ground.addColorStop(1, `hsl(${hue + 40} 25% 45%)`);
  pen.fillStyle = ground;
  pen.fillRect(0, 0, 640, 360);
  pen.fillStyle = `hsl(${hue + 180} 25% 30%)`;
  pen.beginPath();
  pen.ellipse(320, 380, 150, 130, 0, 0, 7);
  pen.fill();
  pen.fillStyle = '#e0b899';
  pen.beginPath();
  pen.arc(320, 180, 75, 0, 7);
  pen.fill();
}
