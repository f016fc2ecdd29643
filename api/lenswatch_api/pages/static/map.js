// The city map: half a million cameras on one canvas, from 9 bytes each. From afar cells are shaded by
// the share of each verdict; from close every camera is a shape of its own.
"use strict";

{
  const box = document.querySelector("[data-map]");
  if (box) start(box).catch(() => { document.querySelector("[data-map-status]").textContent = words.failed; });

  async function start(box) {
    const canvas = box.querySelector("canvas");
    const status = document.querySelector("[data-map-status]");
    const context = canvas.getContext("2d", { alpha: false });
    const response = await fetch(box.dataset.map);
    if (!response.ok) throw new Error(response.status);
    const bytes = await response.arrayBuffer();
    const count = bytes.byteLength / 9;
    const east = new Float32Array(bytes, 0, count);
    const north = new Float32Array(bytes, 4 * count, count);
    const verdict = new Uint8Array(bytes, 8 * count, count);
    const CELL = 3; // device pixels
    const SHAPES = 6000; // cameras in view that are drawn one by one
    let width = 0, height = 0, columns = 0, rows = 0;
    let totals, failed, open, image;
    const home = box.dataset.view.split(",").map(Number); // west, south, east, north
    const view = { x: 0, y: 0, scale: 1 }; // metres in the middle, pixels per metre
    let colours, queued = false, shown = [];

    const readColours = () => {
      const style = getComputedStyle(document.documentElement);
      const rgb = (name) => {
        const hex = style.getPropertyValue(name).trim();
        return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
      };
      colours = { page: rgb("--map"), fail: rgb("--bad"), open: rgb("--open"), good: rgb("--good"), none: rgb("--none"), other: rgb("--accent") };
    };

    const fit = () => {
      view.x = (home[0] + home[2]) / 2;
      view.y = (home[1] + home[3]) / 2;
      view.scale = 0.9 * Math.min(width / Math.max(home[2] - home[0], 200), height / Math.max(home[3] - home[1], 200));
    };

    const resize = () => {
      const ratio = window.devicePixelRatio || 1;
      const first = width === 0;
      width = canvas.width = Math.round(box.clientWidth * ratio);
      height = canvas.height = Math.round(box.clientHeight * ratio);
      columns = Math.ceil(width / CELL);
      rows = Math.ceil(height / CELL);
      totals = new Uint32Array(columns * rows);
      failed = new Uint32Array(columns * rows);
      open = new Uint32Array(columns * rows);
      image = new ImageData(columns, rows);
      if (first) fit();
      draw();
    };

    const small = document.createElement("canvas");

    const paint = () => {
      queued = false;
      totals.fill(0); failed.fill(0); open.fill(0);
      const { x, y, scale } = view;
      const left = width / 2 - x * scale, top = height / 2 + y * scale;
      let inView = 0;
      shown.length = 0;
      for (let i = 0; i < count; i++) {
        const px = left + east[i] * scale, py = top - north[i] * scale;
        if (px < 0 || py < 0 || px >= width || py >= height) continue;
        if (inView < SHAPES) shown.push(i);
        inView++;
        const cell = ((py / CELL) | 0) * columns + ((px / CELL) | 0);
        totals[cell]++;
        if (verdict[i] === 0) failed[cell]++;
        else if (verdict[i] === 1) open[cell]++;
      }
      if (inView > SHAPES) shade();
      else { context.fillStyle = `rgb(${colours.page})`; context.fillRect(0, 0, width, height); shapes(left, top, scale); }
      scaleBar(scale);
      if (!performance.getEntriesByName("map-drawn").length) performance.mark("map-drawn");
      status.textContent = words.cameras.replace("{shown}", inView.toLocaleString()).replace("{all}", count.toLocaleString());
    };

    const shade = () => {
      const data = image.data;
      const { page, fail, good } = colours, unsure = colours.open;
      for (let cell = 0, at = 0; cell < totals.length; cell++, at += 4) {
        const all = totals[cell];
        data[at + 3] = 255;
        if (!all) { data[at] = page[0]; data[at + 1] = page[1]; data[at + 2] = page[2]; continue; }
        const f = failed[cell] / all, o = open[cell] / all, g = 1 - f - o;
        const strength = Math.min(1, 0.45 + 0.18 * Math.log2(1 + all));
        for (let c = 0; c < 3; c++) data[at + c] = page[c] * (1 - strength) + strength * (f * fail[c] + o * unsure[c] + g * good[c]);
      }
      small.width = columns; small.height = rows;
      small.getContext("2d").putImageData(image, 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, columns * CELL, rows * CELL);
    };

    const shapes = (left, top, scale) => {
      const size = Math.max(3, Math.min(9, 2 + 60 * scale)) * (window.devicePixelRatio || 1);
      for (const code of [5, 4, 3, 2, 1, 0]) { // the worst on top
        context.beginPath();
        for (const i of shown) {
          if (verdict[i] !== code) continue;
          const px = left + east[i] * scale, py = top - north[i] * scale;
          if (code === 0) context.rect(px - size, py - size, 2 * size, 2 * size);
          else if (code === 1) { context.moveTo(px, py - 1.2 * size); context.lineTo(px + 1.2 * size, py + size); context.lineTo(px - 1.2 * size, py + size); context.closePath(); }
          else if (code === 2) { context.moveTo(px, py - 1.3 * size); context.lineTo(px + 1.3 * size, py); context.lineTo(px, py + 1.3 * size); context.lineTo(px - 1.3 * size, py); context.closePath(); }
          else { context.moveTo(px + size, py); context.arc(px, py, size, 0, 2 * Math.PI); }
        }
        context.fillStyle = `rgb(${[colours.fail, colours.open, colours.other, colours.good, colours.none, colours.none][code]})`;
        context.fill();
      }
    };

    const scaleBar = (scale) => {
      const ratio = window.devicePixelRatio || 1;
      const wanted = 120 * ratio / scale;
      const power = 10 ** Math.floor(Math.log10(wanted));
      const metres = [5, 2, 1].map((step) => step * power).find((step) => step <= wanted) ?? power;
      const length = metres * scale, y = height - 14 * ratio;
      const ink = getComputedStyle(box).color;
      context.fillStyle = context.strokeStyle = ink;
      context.lineWidth = 2 * ratio;
      context.beginPath();
      context.moveTo(14 * ratio, y - 5 * ratio); context.lineTo(14 * ratio, y); context.lineTo(14 * ratio + length, y); context.lineTo(14 * ratio + length, y - 5 * ratio);
      context.stroke();
      context.font = `${13 * ratio}px system-ui, sans-serif`;
      context.fillText(metres >= 1000 ? `${metres / 1000} km` : `${metres} m`, 20 * ratio, y - 7 * ratio);
    };

    const draw = () => { if (!queued) { queued = true; requestAnimationFrame(paint); } };

    const zoom = (factor, px = width / 2, py = height / 2) => {
      const x = view.x + (px - width / 2) / view.scale, y = view.y - (py - height / 2) / view.scale;
      view.scale = Math.min(20, Math.max(1e-4, view.scale * factor));
      view.x = x - (px - width / 2) / view.scale;
      view.y = y + (py - height / 2) / view.scale;
      draw();
    };

    const nearest = (px, py) => {
      const reach = 14 * (window.devicePixelRatio || 1);
      const left = width / 2 - view.x * view.scale, top = height / 2 + view.y * view.scale;
      let best = -1, least = reach * reach;
      for (const i of shown) {
        const dx = left + east[i] * view.scale - px, dy = top - north[i] * view.scale - py;
        if (dx * dx + dy * dy <= least) { least = dx * dx + dy * dy; best = i; }
      }
      return best;
    };

    const fingers = new Map();
    let moved = 0;
    const at = (event) => {
      const edge = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
      return [(event.clientX - edge.left) * ratio, (event.clientY - edge.top) * ratio];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, at(event));
      if (fingers.size === 1) moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      if (fingers.size === 2) {
        const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const length = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
        zoom(length(now, other) / length(before, other), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      }
      view.x -= (now[0] - before[0]) / view.scale / fingers.size;
      view.y += (now[1] - before[1]) / view.scale / fingers.size;
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      fingers.set(event.pointerId, now);
      draw();
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => {
        const only = fingers.size === 1;
        fingers.delete(event.pointerId);
        if (name === "pointercancel" || !only || moved > 6 || totalInView() > SHAPES) return;
        const found = nearest(...at(event));
        if (found >= 0) location.href = box.dataset.open + found;
      });
    }
    const totalInView = () => totals.reduce((sum, value) => sum + value, 0);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0016)), ...at(event));
    }, { passive: false });
    box.addEventListener("keydown", (event) => {
      const step = 0.15 * Math.min(width, height) / view.scale;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
      if (moves[event.key]) { view.x += moves[event.key][0]; view.y += moves[event.key][1]; draw(); }
      else if (event.key === "+" || event.key === "=") zoom(1.6);
      else if (event.key === "-") zoom(0.625);
      else if (event.key === "0" || event.key === "Home") { fit(); draw(); }
      else if (event.key === "Enter" && event.target === box && totalInView() <= SHAPES) {
        const found = nearest(width / 2, height / 2);
        if (found >= 0) location.href = box.dataset.open + found; else status.textContent = words.nothing;
      } else return;
      event.preventDefault();
    });
    for (const button of box.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => { const factor = Number(button.dataset.zoom); if (factor) zoom(factor); else { fit(); draw(); } });
    }
    readColours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw(); });
    new ResizeObserver(resize).observe(box);
    box.dataset.ready = "true";
  }
}
