// What scripts add to pages that work without them: answers as they come, copying, printing.

import { initAll } from "./govuk-frontend-6.6.0/govuk-frontend.min.js";
import { enhanceRecord } from "./record.js";
import { enhanceUpload } from "./upload.js";
import { followHistory } from "./views.js";
import { phrase } from "./words.js";

initAll();

const upload = document.getElementById("upload-form");
if (upload) {
  followHistory();
  enhanceUpload(upload, enhance);
  enhanceRecord(enhance);
}
enhance(document);

/** What every piece of the page gets. */
function enhance(root) {
  enhanceCopying(root);
  for (const button of root.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
}

/** Put a copy button after each suggested text, where the browser lets a page copy. */
function enhanceCopying(root) {
  if (!navigator.clipboard) return;
  for (const words of root.querySelectorAll("[data-copyable]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "govuk-button govuk-button--secondary bc-screen";
    button.textContent = phrase("Copy this text");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(words.textContent.trim());
      button.textContent = phrase("Copied");
      setTimeout(() => { button.textContent = phrase("Copy this text"); }, 3000);
    });
    words.after(button);
  }
}
