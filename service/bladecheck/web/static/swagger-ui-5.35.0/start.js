// Starts Swagger UI on our own OpenAPI document. validatorUrl would send the document to another host: off.
window.addEventListener("DOMContentLoaded", () => {
  window.ui = SwaggerUIBundle({
    url: new URL("openapi.json", new URL(".", document.baseURI)).pathname,
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
