// GOV.UK Frontend's own switch: the page's enhanced styles apply only where its scripts can run.
document.body.className += " js-enabled" + ("noModule" in HTMLScriptElement.prototype ? " govuk-frontend-supported" : "");
