// The error summary and the messages beside fields, as the server would show them; they go when what was wrong is right.

import { phrase } from "./words.js";

/** Show problems on the first page: each is {text, target}, target the id that its line in the summary leads to. */
export function showProblems(problems, { focus = true } = {}) {
  clearProblems();
  if (!problems.length) return;
  const summary = element("div", "govuk-error-summary");
  summary.tabIndex = -1;
  const alert = summary.appendChild(element("div"));
  if (focus) alert.setAttribute("role", "alert");
  alert.append(element("h2", "govuk-error-summary__title", phrase("There is a problem")));
  const list = alert.appendChild(element("div", "govuk-error-summary__body")).appendChild(element("ul", "govuk-list govuk-error-summary__list"));
  for (const { text, target } of problems) {
    const link = list.appendChild(element("li")).appendChild(element("a", "", text));
    link.href = `#${target}`;
    link.addEventListener("click", (event) => { event.preventDefault(); document.getElementById(target)?.focus(); });
  }
  const row = element("div", "govuk-grid-row");
  row.appendChild(element("div", "govuk-grid-column-two-thirds")).append(summary);
  document.getElementById("start").prepend(row);

  const message = element("p", "govuk-error-message");
  message.id = "pictures-error";
  message.append(element("span", "govuk-visually-hidden", phrase("Error: ")), problems[0].text);
  document.getElementById("pictures-hint").after(message);
  document.getElementById("upload-group").classList.add("govuk-form-group--error");
  field().setAttribute("aria-describedby", "pictures-hint pictures-error");
  if (!document.title.startsWith(phrase("Error: "))) document.title = phrase("Error: ") + document.title;
  if (!focus) return;
  summary.focus();
  window.scrollTo(0, 0);
}

/** Take every message of the first page away again. */
export function clearProblems() {
  for (const summary of document.querySelectorAll(".govuk-error-summary")) {
    if (summary.closest("#start") || !summary.closest("[data-view]")) summary.closest(".govuk-grid-row").remove();
  }
  document.getElementById("pictures-error")?.remove();
  document.getElementById("upload-group").classList.remove("govuk-form-group--error");
  field().setAttribute("aria-describedby", "pictures-hint");
  field().classList.remove("govuk-file-upload--error");
  document.title = document.title.replace(phrase("Error: "), "");
}

/** Whether a problem is shown on the first page. */
export function showsProblems() { return Boolean(document.getElementById("pictures-error")); }

function field() { return document.getElementById(document.querySelector("#upload-group label").htmlFor); }

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** What went wrong with a request, in words. A proxy's answer is a page of its own, never one of our problem documents. */
export async function explain(response) {
  const problem = await response.json().catch(() => null);
  if (response.status === 413) {
    return problem
      ? phrase("The picture is too large. Save a smaller copy and try again.")
      : phrase("Something between this computer and the service refuses a file of this size. Save a smaller copy, or ask the team that runs the service to raise the limit of its proxy.");
  }
  if ([429, 503].includes(response.status)) return phrase("The service is busy. Wait a little and try again.");
  if ([502, 504].includes(response.status)) return phrase("The service does not answer its proxy. Wait a little and try again.");
  return problem?.detail || phrase("The service had a problem. Try again.");
}
