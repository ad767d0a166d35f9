/**
 * Places a popover below its anchor (above where there is no room), its end edge in line with the anchor's, inside the
 * window. Written through the style object, which a strict Content-Security-Policy allows.
 */
export function placeBeside(popover: HTMLElement, anchor: HTMLElement) {
  const edge = 8;
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = popover;
  const rtl = document.documentElement.dir === 'rtl';
  const start = rtl ? window.innerWidth - box.right : box.left;
  const end = start + box.width;
  const inline = Math.max(edge, Math.min(end - width, window.innerWidth - width - edge));
  const below = box.bottom + 4;
  const fits = below + height + edge <= window.innerHeight;
  const block = fits ? below : Math.max(edge, Math.min(box.top - height - 4, window.innerHeight - height - edge));
  popover.style.setProperty('inset-inline-start', `${Math.round(inline)}px`);
  popover.style.setProperty('inset-block-start', `${Math.round(block)}px`);
}
