// The copy of a picture is the officer's: boxes to cover, a cut, a size. The service draws and checks every copy; this
// file only moves boxes, asks for the copy that they stand for, and shows it.

import { keep, kept, keptFile } from "./kept.js";
import { mark } from "./leaving.js";
import { explain } from "./problems.js";
import { phrase } from "./words.js";

const PAUSE = 500;
const STEP = 0.01;
const LEAST = 0.02;
const PARTS = ["left", "top", "width", "height"];
const MOST_AREAS = 20;
const files = new Map();

/** Remember which file a card is about. */
export function remember(number, file) { files.set(number, file); }

/** Give each copy on a new piece of the page its editor. */
export function enhanceCopies(root) {
  for (const section of root.querySelectorAll("[data-copy-url]")) enhance(section);
}

function enhance(section) {
  const card = section.closest(".bc-card");
  const picture = card.querySelector(".bc-picture__image");
  if (!picture || !document.getElementById("editor-template")) return;
  const number = Number(card.id.split("-")[1]);
  const editor = new Editor(section, card, picture, number);
  const open = document.createElement("button");
  open.type = "button";
  open.className = "govuk-button govuk-button--secondary";
  open.textContent = phrase("Change the copy: cover, cut, size");
  const hidden = open.appendChild(document.createElement("span"));
  hidden.className = "govuk-visually-hidden";
  hidden.textContent = phrase(" of {name}", { name: section.dataset.name });
  open.addEventListener("click", () => { open.hidden = true; editor.open(); });
  section.querySelector(".bc-plain").replaceWith(open);
  const before = kept(`edit.${number}`);
  if (before) {
    editor.take(before);
    if (before.made) section.querySelector("[data-made]").innerHTML = before.made;
  }
  watchDownloads(section, number);
  section.addEventListener("click", (event) => { if (event.target.closest("[data-cover-left]")) editor.coverLeft(); });
  editor.offerToCover();
  if (!section.querySelector("[data-download]").hasAttribute("href")) editor.refresh(0);
}

function watchDownloads(section, number) {
  section.addEventListener("click", (event) => { if (event.target.closest("[data-download]")) mark(`copy ${number}`, false); });
}

/** The smallest box around all of these. */
function hull(boxes) {
  return [0, 1, 2, 3].map((side) => Math[side < 2 ? "min" : "max"](...boxes.map((box) => box[side])));
}

class Editor {
  constructor(section, card, picture, number) {
    Object.assign(this, { section, card, picture, number });
    this.suggested = JSON.parse(section.dataset.areas);
    this.take({ areas: this.suggested, crop: null, platform: "keep" });
    this.status = document.createElement("p");
    this.status.className = "govuk-body-s bc-editor__status";
    this.status.setAttribute("role", "status");
    section.querySelector("[data-made]").before(this.status);
  }

  take({ areas, crop, platform }) {
    this.areas = areas.map((box) => [...box]);
    this.crop = crop && [...crop];
    this.platform = platform;
  }

  open() {
    this.root = document.getElementById("editor-template").content.cloneNode(true).firstElementChild;
    this.stage = this.root.querySelector(".bc-editor__stage");
    const image = this.stage.querySelector("img");
    image.src = this.picture.src;
    image.alt = phrase("The picture {name}, to put boxes on", { name: this.section.dataset.name });
    image.width = this.picture.width;
    image.height = this.picture.height;
    this.list = this.root.querySelector(".bc-editor__list");
    const size = this.root.querySelector("select");
    size.id = `size-${this.number}`;
    size.previousElementSibling.htmlFor = size.id;
    size.value = this.platform;
    size.addEventListener("change", () => { this.platform = size.value; this.changed(); });
    this.root.querySelector("[data-add]").addEventListener("click", () => this.add([0.4, 0.4, 0.6, 0.6]));
    this.cut = this.root.querySelector("[data-cut]");
    this.cut.addEventListener("click", () => this.add([0.1, 0.1, 0.9, 0.9], "crop"));
    this.root.querySelector("[data-reset]").addEventListener("click", () => {
      this.take({ areas: this.suggested, crop: null, platform: "keep" });
      size.value = "keep";
      this.draw();
      this.changed();
    });
    this.stage.addEventListener("pointerdown", (event) => this.press(event));
    this.section.querySelector("[data-made]").before(this.root);
    this.draw();
    (this.stage.querySelector(".bc-box") || this.root.querySelector("[data-add]")).focus();
  }

  /** Every box with its key: "crop", or its place among the areas. */
  boxes() {
    return [...this.areas.map((box, index) => [index, box]), ...(this.crop ? [["crop", this.crop]] : [])];
  }

  add(box, name = this.areas.length) {
    if (name === "crop") this.crop = box;
    else this.areas.push(box);
    this.draw();
    this.changed();
    this.node(name).focus();
    return name;
  }

  remove(name) {
    if (name === "crop") this.crop = null;
    else this.areas.splice(name, 1);
    this.draw();
    this.changed();
    (this.stage.querySelector(".bc-box") || this.root.querySelector("[data-add]")).focus();
  }

  /** One press covers all that the check still found in the copy. */
  coverLeft() {
    const left = JSON.parse(this.made().dataset.left);
    if (this.areas.length + left.length > MOST_AREAS) this.areas.push(hull([...this.areas.splice(MOST_AREAS - 1), ...left]));
    else this.areas.push(...left);
    if (this.stage) this.draw();
    this.changed();
  }

  /** The button does nothing without scripts, so it comes hidden. */
  offerToCover() {
    const button = this.section.querySelector("[data-cover-left]");
    if (button) button.hidden = false;
  }

  made() { return this.section.querySelector(".bc-made"); }

  node(name) { return this.stage.querySelector(`[data-box="${name}"]`); }

  title(name) { return name === "crop" ? phrase("Part to keep") : phrase("Area {number}", { number: name + 1 }); }

  draw() {
    for (const old of this.stage.querySelectorAll(".bc-box")) old.remove();
    this.list.replaceChildren();
    this.cut.hidden = Boolean(this.crop);
    for (const [name] of this.boxes()) {
      const node = document.createElement("button");
      node.type = "button";
      node.className = name === "crop" ? "bc-box bc-box--crop" : "bc-box";
      node.dataset.box = name;
      for (const corner of ["nw", "ne", "sw", "se"]) {
        const handle = node.appendChild(document.createElement("span"));
        handle.className = `bc-box__corner bc-box__corner--${corner}`;
        handle.dataset.corner = corner;
      }
      node.addEventListener("keydown", (event) => this.key(event, name));
      if (name === "crop") this.stage.prepend(node);
      else this.stage.append(node);
      this.addRow(name);
      this.place(name);
    }
  }

  addRow(name) {
    const row = document.getElementById("numbers-template").content.cloneNode(true).firstElementChild;
    row.dataset.row = name;
    row.querySelector("legend").textContent = this.title(name);
    const remove = row.querySelector("[data-remove]");
    const what = remove.appendChild(document.createElement("span"));
    what.className = "govuk-visually-hidden";
    what.textContent = ` ${this.title(name).toLowerCase()} of ${this.section.dataset.name}`;
    remove.addEventListener("click", () => this.remove(name));
    for (const input of row.querySelectorAll("input")) input.addEventListener("change", () => this.fromNumbers(row, name));
    this.list.append(row);
  }

  fromNumbers(row, name) {
    const [left, top, width, height] = PARTS.map((part) => Number(row.querySelector(`[data-part=${part}]`).value.replace(",", ".").replace("%", "")) / 100);
    if ([left, top, width, height].every(Number.isFinite)) this.set(name, [left, top, left + width, top + height]);
    this.place(name);
    this.changed();
  }

  /** Put a box, within the picture and not too small to hold. */
  set(name, [left, top, right, bottom]) {
    const clip = (value, least, most) => Math.min(most, Math.max(least, value));
    const box = name === "crop" ? this.crop : this.areas[name];
    box[0] = clip(Math.min(left, right), 0, 1 - LEAST);
    box[1] = clip(Math.min(top, bottom), 0, 1 - LEAST);
    box[2] = clip(Math.max(left, right), box[0] + LEAST, 1);
    box[3] = clip(Math.max(top, bottom), box[1] + LEAST, 1);
    for (let side = 0; side < 4; side += 1) box[side] = Math.round(box[side] * 1e4) / 1e4;
  }

  place(name) {
    const [left, top, right, bottom] = name === "crop" ? this.crop : this.areas[name];
    const shares = { left, top, width: right - left, height: bottom - top };
    const node = this.node(name);
    const row = this.list.querySelector(`[data-row="${name}"]`);
    for (const part of PARTS) {
      node.style[part] = `${shares[part] * 100}%`;
      row.querySelector(`[data-part=${part}]`).value = String(Math.round(shares[part] * 1000) / 10);
    }
    const said = PARTS.map((part) => `${phrase(part)} ${Math.round(shares[part] * 100)} %`).join(", ");
    node.setAttribute("aria-label", phrase("{title}: {said}. Arrow keys move it, Shift and arrow keys change its size, Delete removes it.", { title: this.title(name), said }));
  }

  key(event, name) {
    const box = name === "crop" ? this.crop : this.areas[name];
    if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); return this.remove(name); }
    const [right, down] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] || [0, 0];
    if (!right && !down) return undefined;
    event.preventDefault();
    if (event.shiftKey) this.set(name, [box[0], box[1], Math.max(box[0] + LEAST, box[2] + right), Math.max(box[1] + LEAST, box[3] + down)]);
    else this.move(name, box, right, down);
    this.place(name);
    return this.changed();
  }

  /** Move a whole box as far as the picture goes. */
  move(name, [left, top, right, bottom], across, down) {
    const x = Math.min(1 - right, Math.max(-left, across));
    const y = Math.min(1 - bottom, Math.max(-top, down));
    this.set(name, [left + x, top + y, right + x, bottom + y]);
  }

  press(event) {
    if (event.button) return;
    event.preventDefault();
    const frame = this.stage.getBoundingClientRect();
    const at = (one) => [(one.clientX - frame.left) / frame.width, (one.clientY - frame.top) / frame.height];
    const from = at(event);
    const node = event.target.closest(".bc-box");
    let name = node && (node.dataset.box === "crop" ? "crop" : Number(node.dataset.box));
    let corner = event.target.dataset?.corner;
    // The part to keep is moved by its frame or corners; inside it, one draws.
    if (name === "crop" && !corner && !this.onRim(node, event)) name = null;
    let before = name === null || name === undefined ? null : [...(name === "crop" ? this.crop : this.areas[name])];
    if (before) node.focus();
    const drag = (one) => {
      const [x, y] = at(one);
      const [across, down] = [x - from[0], y - from[1]];
      if (!before) {
        if (Math.abs(across) < LEAST || Math.abs(down) < LEAST) return;
        name = this.add([from[0], from[1], from[0] + LEAST, from[1] + LEAST]);
        before = [from[0], from[1], from[0], from[1]];
        corner = "se";
      }
      if (!corner) this.move(name, before, across, down);
      else this.set(name, [
        before[0] + (corner.includes("w") ? across : 0), before[1] + (corner.includes("n") ? down : 0),
        before[2] + (corner.includes("e") ? across : 0), before[3] + (corner.includes("s") ? down : 0),
      ]);
      this.place(name);
    };
    const stop = () => {
      this.stage.removeEventListener("pointermove", drag);
      if (before) this.changed();
    };
    this.stage.setPointerCapture(event.pointerId);
    this.stage.addEventListener("pointermove", drag);
    this.stage.addEventListener("pointerup", stop, { once: true });
    this.stage.addEventListener("pointercancel", stop, { once: true });
  }

  onRim(node, event) {
    const box = node.getBoundingClientRect();
    return Math.min(event.clientX - box.left, box.right - event.clientX, event.clientY - box.top, box.bottom - event.clientY) < 16;
  }

  changed() {
    mark(`copy ${this.number}`, true);
    this.save();
    this.refresh(PAUSE);
  }

  save(made = null) {
    const { areas, crop, platform } = this;
    keep(`edit.${this.number}`, { areas, crop, platform, made });
  }

  /** Ask for the copy after a pause; a later change takes an earlier one's place. */
  refresh(pause) {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.section.querySelector("[data-made]").classList.add("bc-old");
    this.status.textContent = phrase("Making the copy and checking it…");
    this.timer = setTimeout(() => this.ask(), pause);
  }

  async ask() {
    const asking = this.asking = new AbortController();
    const file = files.get(this.number) || await keptFile(this.number);
    if (!file) return this.chooseAgain();
    files.set(this.number, file);
    const body = new FormData();
    body.append("sealed", this.card.querySelector("[name=sealed]").value);
    body.append("areas", JSON.stringify(this.areas));
    body.append("crop", JSON.stringify(this.crop));
    body.append("platform", this.platform);
    body.append("file", file, this.section.dataset.name);
    try {
      const response = await fetch(this.section.dataset.copyUrl, { method: "POST", body, signal: asking.signal });
      if (!response.ok) throw new Error(await explain(response));
      this.put(await response.text());
    } catch (error) {
      if (!asking.signal.aborted) this.failed(error instanceof TypeError ? phrase("The service could not be reached, or the file was moved or changed.") : error.message);
    }
    return undefined;
  }

  put(html) {
    const made = this.section.querySelector("[data-made]");
    const focused = made.contains(document.activeElement);
    made.innerHTML = html;
    made.classList.remove("bc-old");
    this.offerToCover();
    if (focused) made.querySelector("[data-cover-left], [data-download]").focus();
    this.status.textContent = made.querySelector(".bc-made__found").textContent;
    if (kept(`edit.${this.number}`)) this.save(withoutFile(made));
  }

  failed(why) {
    this.status.textContent = phrase("The copy shown is an older one. {why} ", { why });
    const again = this.status.appendChild(document.createElement("button"));
    again.type = "button";
    again.className = "govuk-button govuk-button--secondary";
    again.textContent = phrase("Try again");
    again.addEventListener("click", () => this.refresh(0));
  }

  /** After a reload in a browser that could not keep the file: the service has no copy of it, so it is asked for. */
  chooseAgain() {
    this.status.textContent = "";
    const label = this.status.appendChild(document.createElement("label"));
    label.className = "govuk-label";
    label.textContent = phrase("To get the copy, choose {name} again: the page was reloaded, and nothing is kept on the service. ", { name: this.section.dataset.name });
    const input = label.appendChild(document.createElement("input"));
    input.type = "file";
    input.className = "govuk-file-upload";
    input.addEventListener("change", () => { if (input.files[0]) { files.set(this.number, input.files[0]); this.refresh(0); } });
  }
}

/** A made copy's piece of page without the file itself, which would not fit in session storage. */
export function withoutFile(root) {
  const clone = root.cloneNode(true);
  for (const link of clone.querySelectorAll("[data-download]")) link.removeAttribute("href");
  return clone.innerHTML;
}
