// Saves in place: a form is sent in the background, and the answer, which is the whole page, takes the place of this
// one. Whatever goes wrong, the form is sent as if there were no script.
"use strict";

const parts = ["status", "page"];

async function send(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const answer = await fetch(location.href, { method: "POST", body, credentials: "omit", referrerPolicy: "no-referrer" });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function show(page, focused) {
  if (!parts.every((id) => page.getElementById(id))) throw new Error("another page");
  // The live region stays where it is and gets new words, for only then are they read out.
  for (const id of parts) document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
  const again = focused && document.querySelector(focused);
  (again || document.getElementById("stop-title").closest("section").querySelector("button")).focus({ preventScroll: true });
  document.getElementById("status").scrollIntoView({ block: "nearest" });
}

document.addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter;
  if ("plain" in form.dataset) return;
  event.preventDefault();
  if (form.getAttribute("aria-busy")) return;
  form.setAttribute("aria-busy", "true");
  try {
    show(await send(form, button), button && `button[name="do"][value="${button.value}"]`);
  } catch {
    form.dataset.plain = "";
    form.requestSubmit(button);
  }
});
