// The record is asked for and shown as views of the one page: so Back, Help and a reload find it as it was left.

import { forget, keep, kept } from "./kept.js";
import { mark } from "./leaving.js";
import { show, view, wanted } from "./views.js";
import { phrase } from "./words.js";

/** Take over the way to the record; `enhance` is called with each new piece of the page. */
export function enhanceRecord(enhance) {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !["record-form", "approval-form"].includes(form.id)) return;
    event.preventDefault();
    if (!form.dataset.sending) send(form, enhance, event.submitter);
  });
  for (const name of ["record", "finished"]) {
    const html = kept(name);
    if (html) fill(name, html, enhance);
  }
  const asked = history.state?.view || location.hash.slice(1);
  if (["record", "finished"].includes(asked)) show(wanted() || "start", { push: false });
}

async function send(form, enhance, submitter) {
  const body = new FormData(form, submitter);
  // Whoever went back to the answers and comes again finds what was typed before.
  if (form.id === "record-form") for (const [name, value] of Object.entries(typed(form))) body.append(name, value);
  form.dataset.sending = "yes";
  try {
    const response = await fetch(`${form.action}?piece=1`, { method: "POST", body });
    const html = await response.text();
    if (!html.includes("data-piece")) throw new Error(problem(html));
    const name = html.includes('data-piece="finished"') ? "finished" : "record";
    keep(name, html);
    fill(name, html, enhance);
    if (name === "finished") {
      mark("record", false);
      mark("finished", true);
    }
    if (view(name).hidden) show(name);
    else reopen(name);
  } catch (error) {
    say(form, error instanceof TypeError ? phrase("The service could not be reached. Nothing was lost: try again.") : error.message);
  } finally {
    delete form.dataset.sending;
  }
}

function problem(text) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return phrase("The service had a problem. Nothing was lost: try again.");
  }
}

/** The same view again, with its errors. */
function reopen(name) {
  show(name, { push: false });
  view(name).querySelector(".govuk-error-summary")?.focus();
  window.scrollTo(0, 0);
}

function fill(name, html, enhance) {
  const place = view(name);
  place.innerHTML = html;
  enhance(place);
  const summary = place.querySelector(".govuk-error-summary");
  if (summary) {
    summary.tabIndex = -1;
    summary.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link) return;
      event.preventDefault();
      document.getElementById(link.hash.slice(1)).focus();
    });
  }
  const form = place.querySelector("#approval-form");
  if (form) followTyping(form);
  place.addEventListener("click", (event) => { if (event.target.closest("[data-save], [data-print]")) mark("finished", false); });
}

/** Keep what is typed, as it is typed. */
function followTyping(form) {
  const read = () => {
    const values = Object.fromEntries([...new FormData(form)].filter(([name, value]) => typeof value === "string" && !["sealed", "copy", "thumbnail", "moment"].includes(name)));
    keep("typed", values);
    keep("typed.pictures", pictures(form));
    mark("record", true);
    forget("finished");
  };
  for (const [name, value] of Object.entries(typed(form))) {
    for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (["radio", "checkbox"].includes(field.type)) field.checked = field.value === value;
      else if (field.type !== "hidden" && !field.value) field.value = value;
    }
  }
  form.addEventListener("input", read);
  form.addEventListener("change", read);
}

/** What was typed; what belongs to one picture goes under the number that this picture has in the form now. */
function typed(form) {
  const before = kept("typed.pictures") || [];
  const now = pictures(form);
  return Object.fromEntries(Object.entries(kept("typed") || {}).flatMap(([name, value]) => {
    const [, field, number] = name.match(/^(outcome|correction|approver)-(\d+)$/) || [];
    if (!field) return [[name, value]];
    const index = now.indexOf(before[number - 1]);
    return index < 0 ? [] : [[`${field}-${index + 1}`, value]];
  }));
}

/** The form's answers, each by the end of its seal; a picture that was checked twice by its turn, too. */
function pictures(form) {
  const seals = new FormData(form).getAll("sealed").map((token) => token.split(".").at(-1));
  return seals.map((seal, index) => `${seal}/${seals.slice(0, index).filter((other) => other === seal).length}`);
}

function say(form, text) {
  let line = form.querySelector(".bc-problem");
  if (!line) {
    line = form.appendChild(document.createElement("p"));
    line.className = "govuk-error-message bc-problem";
    line.setAttribute("role", "alert");
  }
  line.textContent = text;
}
