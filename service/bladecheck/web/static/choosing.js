// The pictures that are chosen: a list with names, sizes and a way to remove each. Choosing again adds. What the service
// would refuse is said here, before anything is sent; the limits are the service's own.

import { clearProblems, element, showProblems, showsProblems } from "./problems.js";
import { phrase, pictures } from "./words.js";

const PATIENCE = 4000;

/** Follow the form's file input; `files()` are the pictures to check, `problems()` what stands against sending them. */
export class Choosing {
  constructor(form, input) {
    Object.assign(this, { form, input, rows: [], count: 0 });
    this.limits = { most: Number(form.dataset.most), bytes: Number(form.dataset.mostBytes), videoBytes: Number(form.dataset.mostVideoBytes || form.dataset.mostBytes), pixels: Number(form.dataset.mostPixels) };
    this.place = document.getElementById("chosen");
    this.heading = this.place.appendChild(element("h2", "govuk-heading-s bc-chosen__title"));
    this.list = this.place.appendChild(element("ul", "bc-chosen"));
    this.status = this.place.parentElement.insertBefore(element("p", "govuk-visually-hidden"), this.place);
    this.status.setAttribute("role", "status");
    input.addEventListener("change", (event) => { if (event.detail !== this) this.add([...input.files]); });
    if (input.files.length) this.add([...input.files]);
  }

  files() { return this.rows.map((row) => row.file); }

  /** The name of an earlier file with the same bytes, or null. */
  sameAs(file) { return this.rows.find((row) => row.file === file)?.sameAs?.file.name ?? null; }

  add(files) {
    for (const file of files) {
      this.count += 1;
      const row = { file, problem: "", sameAs: null, ...this.line(file, `chosen-${this.count}`) };
      row.remove.addEventListener("click", () => this.remove(row));
      this.rows.push(row);
    }
    for (const row of this.rows) row.inspected ??= this.inspect(row);
    this.changed();
  }

  remove(row) {
    const index = this.rows.indexOf(row);
    this.rows.splice(index, 1);
    row.line.remove();
    for (const other of this.rows) if (other.sameAs === row) { other.sameAs = null; this.say(other); other.inspected = this.inspect(other); }
    this.changed();
    const next = this.rows[index] || this.rows.at(-1);
    (next ? next.remove : document.getElementById(this.form.querySelector("label").htmlFor)).focus();
    this.status.textContent = `${phrase("{name} removed.", { name: row.file.name })} ${this.heading.textContent}`;
  }

  /** The list's line of one file. */
  line(file, id) {
    const line = this.list.appendChild(element("li", "bc-chosen__row"));
    line.append(element("span", "bc-chosen__name", file.name), element("span", "bc-chosen__size", inSize(file.size)));
    const remove = line.appendChild(element("button", "govuk-button govuk-button--secondary bc-chosen__remove", phrase("Remove")));
    remove.type = "button";
    remove.id = id;
    remove.append(element("span", "govuk-visually-hidden", ` ${file.name}`));
    return { line, remove };
  }

  /** The form's own field holds the same files, so that its count is true, and so that it can be sent without us. */
  changed() {
    const all = new DataTransfer();
    for (const { file } of this.rows) all.items.add(file);
    this.input.files = all.files;
    this.input.dispatchEvent(new CustomEvent("change", { detail: this }));
    const total = this.rows.reduce((sum, { file }) => sum + file.size, 0);
    this.place.hidden = !this.rows.length;
    this.list.classList.toggle("bc-chosen--compact", this.rows.length > 6);
    this.heading.textContent = this.rows.length ? phrase("{many} chosen, {size}", { many: pictures(this.rows.length), size: inSize(total) }) : phrase("No picture chosen");
    this.corrected();
  }

  /** A shown error goes, or says what is left, as soon as something changes. */
  corrected() {
    if (!showsProblems()) return;
    const left = this.known();
    if (left.length) showProblems(left, { focus: false });
    else clearProblems();
  }

  async inspect(row) {
    const { file } = row;
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, 0));
    const isVideo = file.type.startsWith("video/") && this.form.dataset.mostVideoBytes;
    const [most, size] = isVideo ? [this.limits.videoBytes, this.form.dataset.mostVideoSize] : [this.limits.bytes, this.form.dataset.mostSize];
    row.problem = file.size > most ? phrase("{name} is larger than {size}. Save a smaller copy", { name: file.name, size }) : "";
    if (!file.size) row.problem = phrase("{name} is empty. Export or download it again", { name: file.name });
    if (!row.problem && !await isReadable(file)) row.problem = gone(file.name);
    if (!row.problem) {
      const pixels = await Promise.race([pixelsOf(file), late]);
      const millions = Math.floor(this.limits.pixels / 1e5) / 10;
      if (pixels > this.limits.pixels) row.problem = phrase("{name} has {count} million pixels; the most is {most} million. Save a smaller copy", { name: file.name, count: Math.ceil(pixels / 1e5) / 10, most: millions });
      else row.sameAs = await this.double(row);
    }
    this.say(row);
    this.corrected();
  }

  /** An earlier row whose file has the same bytes. */
  async double(row) {
    for (const other of this.rows.slice(0, Math.max(0, this.rows.indexOf(row)))) {
      if (other.file.size === row.file.size && !other.sameAs && await sameBytes(other.file, row.file)) return other;
    }
    return null;
  }

  say(row) {
    row.line.querySelector("p")?.remove();
    row.remove.removeAttribute("aria-describedby");
    const same = row.sameAs && phrase("The same picture as {name}. Remove one, or it is checked twice.", { name: row.sameAs.file.name });
    if (!row.problem && !same) return;
    const note = row.line.appendChild(element("p", row.problem ? "govuk-error-message bc-chosen__note" : "bc-chosen__note"));
    note.id = `${row.remove.id}-note`;
    if (row.problem) note.append(element("span", "govuk-visually-hidden", phrase("Error: ")));
    note.append(row.problem ? `${row.problem}.` : same);
    row.remove.setAttribute("aria-describedby", note.id);
    this.status.textContent = note.textContent;
  }

  /** What is known to stand against sending: {text, target} each. */
  known() {
    const field = this.form.querySelector("label").htmlFor;
    if (!this.rows.length) return [{ text: phrase("Select at least one picture"), target: field }];
    const many = this.rows.length > this.limits.most;
    return [
      ...(many ? [{ text: phrase("You can only check up to {count} pictures at the same time", { count: this.limits.most }), target: this.rows[this.limits.most].remove.id }] : []),
      ...this.rows.filter((row) => row.problem).map((row) => ({ text: row.problem, target: row.remove.id })),
    ];
  }

  /** The same, after every file was looked at once more: one may have been deleted since. */
  async problems() {
    await Promise.all(this.rows.map((row) => row.inspected));
    await Promise.all(this.rows.filter((row) => !row.problem).map(async (row) => {
      if (await isReadable(row.file)) return;
      row.problem = gone(row.file.name);
      this.say(row);
    }));
    return this.known();
  }
}

/** Bytes as people say them, as the service does: rounded down. */
export function inSize(count) {
  if (count < 2 ** 20) return `${Math.max(1, Math.floor(count / 2 ** 10)).toLocaleString("en-GB")} kB`;
  return `${Math.floor(count * 10 / 2 ** 20) / 10} MB`;
}

export function gone(name) { return phrase("{name} was deleted, moved or changed after it was chosen. Choose it again", { name }); }

/** Whether the browser can still read a chosen file: not if it was deleted, moved or changed. */
export async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** Width times height as the browser reads it from the file's beginning, or 0 where it can't read that kind. */
function pixelsOf(file) {
  return new Promise((resolve) => {
    const image = new Image();
    const address = URL.createObjectURL(file);
    const done = (pixels) => { URL.revokeObjectURL(address); resolve(pixels); };
    image.onload = () => done(image.naturalWidth * image.naturalHeight);
    image.onerror = () => done(0);
    image.src = address;
  });
}

async function sameBytes(one, other) {
  try {
    const [first, second] = (await Promise.all([one.arrayBuffer(), other.arrayBuffer()])).map((data) => new Uint8Array(data));
    return first.every((byte, index) => byte === second[index]);
  } catch {
    return false;
  }
}
