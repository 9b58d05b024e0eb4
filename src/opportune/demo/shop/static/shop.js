// Runs before the script of the hub: says for whom a page is, and shows what the hub thought of its slots.
(() => {
  "use strict";
  const { page, visitor, purpose, likes } = document.currentScript.dataset;
  const first = window.opportune = [];
  if (visitor) first.push(["consent", true, visitor]);
  if (page) first.push(["page", page, { purpose, ...(likes && { likes }) }]);

  const asked = new Set();
  addEventListener("opportune", ({ detail }) => {
    if (detail.state !== "waiting") show(detail.decisionId || "");
  });

  const show = async (decision) => {
    if (asked.has(decision) || (!decision && asked.size)) return;
    asked.add(decision);
    await new Promise((done) => setTimeout(done, 50)); // slots of the same decision come together
    if (!decision && asked.size > 1) return;
    const box = document.getElementById("thoughts");
    try {
      const reply = await fetch(`/thoughts?page=${page}&decision=${encodeURIComponent(decision)}`);
      if (reply.ok) draw(box, await reply.json());
      else box.textContent = "The hub has nothing to say about this.";
    } catch {
      box.textContent = "The hub is away.";
    }
  };

  const add = (parent, tag, text, kind) => {
    const node = parent.appendChild(document.createElement(tag));
    if (text) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const draw = (box, told) => {
    box.replaceChildren();
    add(box, "p", told.begins, "dim");
    const all = add(box, "div", "", "columns");
    for (const slot of told.slots) {
      const part = add(all, "section");
      add(part, "h3", slot.slot);
      const list = add(part, "ul");
      for (const one of slot.won) {
        const line = add(list, "li");
        add(line, "strong", one.title);
        line.append(`: ${one.why}.`);
      }
      if (!slot.won.length) add(list, "li", "Nothing: the content of the page stays.");
      for (const reason of slot.items) add(list, "li", reason, "reason");
      for (const one of slot.lost) add(list, "li", `not “${one.title}”: ${one.why}`, "dim");
    }
    const more = document.getElementById("more-thoughts");
    if (more) add(all, "section").append(document.importNode(more.content, true));
  };
})();
