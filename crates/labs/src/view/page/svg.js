// ---------------------------------------------------------------------------------------------------
// A surface that is painted on like a canvas, and is an SVG document in the end.

class SvgSurface {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.parts = [];
    this.path = '';
    this.clips = 0;
    this.stack = [];
    this.ruler = document.createElement('canvas').getContext('2d');
    Object.assign(this, {
      fillStyle: '#000', strokeStyle: '#000', lineWidth: 1, lineCap: 'butt', lineJoin: 'miter', globalAlpha: 1,
      font: '12px sans-serif', textAlign: 'start', textBaseline: 'alphabetic', dash: [],
    });
  }

  static escape(text) {
    return text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign])
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '\ufffd');
  }

  static number(value) {
    return String(Math.round(value * 100) / 100);
  }

  beginPath() { this.path = ''; }
  moveTo(x, y) { this.path += `M${SvgSurface.number(x)} ${SvgSurface.number(y)}`; }
  lineTo(x, y) { this.path += `L${SvgSurface.number(x)} ${SvgSurface.number(y)}`; }
  quadraticCurveTo(...xy) { this.path += `Q${xy.map(SvgSurface.number).join(' ')}`; }
  closePath() { this.path += 'Z'; }

  /** Whole circles only. */
  arc(x, y, r) {
    const [left, right, y0, r0] = [x - r, x + r, y, r].map(SvgSurface.number);
    this.path += `M${right} ${y0}A${r0} ${r0} 0 1 1 ${left} ${y0}A${r0} ${r0} 0 1 1 ${right} ${y0}Z`;
  }

  rect(x, y, w, h) {
    const [x0, y0, w0, h0] = [x, y, w, h].map(SvgSurface.number);
    this.path += `M${x0} ${y0}h${w0}v${h0}h${-w0}Z`;
  }

  roundRect(x, y, w, h, r) {
    this.moveTo(x + r, y);
    this.lineTo(x + w - r, y);
    this.quadraticCurveTo(x + w, y, x + w, y + r);
    this.lineTo(x + w, y + h - r);
    this.quadraticCurveTo(x + w, y + h, x + w - r, y + h);
    this.lineTo(x + r, y + h);
    this.quadraticCurveTo(x, y + h, x, y + h - r);
    this.lineTo(x, y + r);
    this.quadraticCurveTo(x, y, x + r, y);
    this.closePath();
  }

  setLineDash(dash) { this.dash = dash; }

  stroke() {
    if (this.path === '') return;
    const dash = this.dash.length > 0 ? ` stroke-dasharray="${this.dash.join(' ')}"` : '';
    this.parts.push(`<path d="${this.path}" fill="none" stroke="${this.strokeStyle}" ` +
      `stroke-width="${this.lineWidth}" stroke-linecap="${this.lineCap}" ` +
      `stroke-linejoin="${this.lineJoin}"${dash}${this.opacity()}/>`);
  }

  fill() {
    if (this.path === '') return;
    this.parts.push(`<path d="${this.path}" fill="${this.fillStyle}"${this.opacity()}/>`);
  }

  fillRect(x, y, w, h) {
    this.beginPath();
    this.rect(x, y, w, h);
    this.fill();
  }

  opacity() {
    return this.globalAlpha === 1 ? '' : ` opacity="${this.globalAlpha}"`;
  }

  text(text, x, y, paint) {
    const anchor = { center: 'middle', right: 'end', end: 'end' }[this.textAlign] ?? 'start';
    const down = this.textBaseline === 'middle' ? ' dy="0.35em"' : '';
    // As attributes and not as a style, which the policy of the page would forbid where it is printed.
    const [, weight, size, family] = /^(?:(\w+) )?([\d.]+)px (.*)$/.exec(this.font);
    const font = `font-size="${size}" font-family="${SvgSurface.escape(family)}"` +
      (weight === undefined ? '' : ` font-weight="${weight}"`);
    this.parts.push(`<text x="${SvgSurface.number(x)}" y="${SvgSurface.number(y)}"${down} ` +
      `text-anchor="${anchor}" ${font} ${paint}${this.opacity()}>${SvgSurface.escape(text)}</text>`);
  }

  fillText(text, x, y) { this.text(text, x, y, `fill="${this.fillStyle}"`); }

  strokeText(text, x, y) {
    this.text(text, x, y, `fill="none" stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}" stroke-linejoin="round"`);
  }

  measureText(text) {
    this.ruler.font = this.font;
    return this.ruler.measureText(text);
  }

  save() { this.stack.push(0); }

  restore() {
    for (let open = this.stack.pop(); open > 0; open--) this.parts.push('</g>');
  }

  /** The path must be a rectangle, as it always is here. */
  clip() {
    const id = `clip${this.clips++}`;
    this.parts.push(`<clipPath id="${id}"><path d="${this.path}"/></clipPath><g clip-path="url(#${id})">`);
    this.stack[this.stack.length - 1]++;
  }

  document() {
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${this.width} ${this.height}" ` +
      `width="${this.width}" height="${this.height}">${this.parts.join('')}</svg>`;
  }
}
