// Uploads with progress, live audits and small forms. Everything else works without it.
"use strict";

const words = JSON.parse(document.getElementById("words").textContent);

const problem = async (response) => {
  try { return (await response.json()).detail; } catch { return words.answered.replace("{status}", response.status); }
};

const complain = (form, text) => {
  const notice = form.querySelector("[role=alert]");
  notice.textContent = text;
  notice.hidden = !text;
};

const post = (url, body) => fetch(url, {
  method: "POST",
  headers: body === undefined ? {} : { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` },
  body: body === undefined ? undefined : JSON.stringify(body),
});

for (const form of document.querySelectorAll("[data-create=deployment]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain(form, "");
    const response = await post("/api/v1/deployments", { name: form.elements.name.value.trim() });
    if (!response.ok) { complain(form, await problem(response)); return; }
    location.href = `/deployments/${(await response.json()).id}`;
  });
}

const send = (url, file, tell) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest(); // fetch cannot tell how much was sent
  request.open("POST", url);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.addEventListener("progress", (event) => tell(event.loaded, event.total));
  request.addEventListener("load", () => {
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* said below */ }
    if (request.status === 201) resolve(answer);
    else reject(new Error(answer.detail ?? words.answered.replace("{status}", request.status)));
  });
  request.addEventListener("error", () => reject(new Error(words.broken)));
  request.send(file);
});

for (const form of document.querySelectorAll("[data-upload]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain(form, "");
    const packs = [...form.querySelectorAll("[name=pack]:checked")].map((box) => box.value);
    if (!packs.length) { complain(form, words.choose); return; }
    const [bar, status, button] = ["progress", "[role=status]", "button"].map((name) => form.querySelector(name));
    bar.hidden = false;
    button.disabled = true;
    try {
      const bundle = await send(form.dataset.upload, form.querySelector("[type=file]").files[0], (sent, total) => {
        bar.value = (100 * sent) / total;
        status.textContent = sent < total ? words.sent.replace("{percent}", Math.floor(bar.value)) : words.unpacking;
      });
      status.textContent = words.starting;
      const response = await post("/api/v1/audits", { bundle_id: bundle.id, packs });
      if (!response.ok) throw new Error(await problem(response));
      location.href = `/audits/${(await response.json()).id}`;
    } catch (error) {
      complain(form, error.message);
      status.textContent = "";
      bar.hidden = true;
      button.disabled = false;
    }
  });
}

for (const box of document.querySelectorAll("[data-follow]")) {
  const bar = box.querySelector("[data-progress]");
  const stage = box.querySelector("[data-stage]");
  const badge = document.querySelector("[data-state] .state");
  const source = new EventSource(box.dataset.follow);
  source.addEventListener("progress", (event) => {
    const progress = JSON.parse(event.data);
    const text = progress.stage || words.waiting;
    if (stage.textContent !== text) stage.textContent = text;
    if (progress.state === "running") { badge.className = "state running"; badge.textContent = words.running; }
    if (progress.total > 0) { bar.max = progress.total; bar.value = progress.done; } else bar.removeAttribute("value");
  });
  source.addEventListener("end", () => { source.close(); location.reload(); });
}

for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    const response = await post(button.dataset.post);
    if (response.ok) location.reload();
    else { button.disabled = false; button.textContent = await problem(response); }
  });
}
