// Leaving with unsaved work warns. Following a link within the service loses nothing, so it does not warn.

const unsaved = new Set();
let staying = false;

/** Say whether a piece of work would be lost if the tab were closed now. */
export function mark(work, isUnsaved) {
  if (isUnsaved) unsaved.add(work);
  else unsaved.delete(work);
  // Only while it is needed: a listener keeps some browsers from holding the page for Back.
  window[unsaved.size ? "addEventListener" : "removeEventListener"]("beforeunload", warn);
}

function warn(event) {
  if (!staying) event.preventDefault();
}

// Asked last, at the window: what a script has taken over, and a download, leads nowhere, and then leaving is leaving.
window.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const leads = link && link.origin === location.origin && !link.target && !link.hasAttribute("download");
  if (leads && !event.defaultPrevented && !event.ctrlKey && !event.metaKey) stayForNow();
});
window.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) stayForNow();
});
window.addEventListener("pageshow", () => { staying = false; });

function stayForNow() {
  staying = true;
  setTimeout(() => { staying = false; }, 1000); // it did not lead away after all: a page that did not answer
}
