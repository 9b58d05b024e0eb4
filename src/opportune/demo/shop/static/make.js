// The form of a product: each step asks the hub what the choice still can be, and draws the answer.
(() => {
  "use strict";
  const { hub, key, token } = document.currentScript.dataset;
  const by = (id) => document.getElementById(id);
  const place = by("make"), { product, design } = place.dataset;
  let chosen = {}, answer, turn = 0, waiting;

  const ask = async (how, keep = []) => {
    const mine = ++turn;
    const body = { choices: chosen, keep, ...(design && { configuration: design }), ...(token && { userToken: token }) };
    let told;
    try {
      const reply = await fetch(`${hub}/v1/products/${product}/${how}?writeKey=${encodeURIComponent(key)}`, {
        method: "POST", body: JSON.stringify(body), credentials: "omit",
      });
      told = await reply.json();
      if (!reply.ok) throw new Error(told.detail);
    } catch (problem) {
      if (mine === turn) by("missing").textContent = `The hub did not answer: ${problem.message}`;
      return;
    }
    if (mine !== turn) return; // somebody went on meanwhile
    answer = told;
    chosen = { ...told.choices };
    draw();
  };
  const choose = (name, value) => {
    if (value === null && !design) delete chosen[name];
    else chosen[name] = value;
    clearTimeout(waiting);
    waiting = setTimeout(() => ask("check", [name]), 60);
  };

  const make = (tag, about = {}, ...inner) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(about)) {
      if (name in node && name !== "list") node[name] = value;
      else if (value !== undefined) node.setAttribute(name, value);
    }
    node.append(...inner.filter((one) => one !== null && one !== ""));
    return node;
  };
  const money = (amount) => `${amount.toFixed(2)} ${answer.price.currency}`;
  const plus = (amount) => (amount ? `${amount > 0 ? "+" : "−"}${Math.abs(amount)}` : "");

  const draw = () => {
    const active = document.activeElement?.id;
    by("options").replaceChildren(...answer.options.map((one) => (one.values.length ? words(one) : number(one))));
    if (active) by(active)?.focus();
    const { now, lowest, lines } = answer.price;
    by("price").textContent = money(now);
    by("sums").replaceChildren(...lines.flatMap(({ title, amount }) => [
      make("dt", { textContent: title }), make("dd", { textContent: money(amount) })]));
    by("missing").textContent = answer.missing.length
      ? `Still open: ${answer.missing.map((name) => answer.options.find((one) => one.name === name).title).join(", ")}.`
        + (lowest === null ? "" : ` Finished, it costs ${money(lowest)} or more.`)
      : "Everything is chosen.";
    by("conflicts").replaceChildren(...conflicts());
    const saved = document.querySelector("form.save");
    if (saved) {
      saved.elements.choices.value = JSON.stringify(answer.choices);
      saved.querySelector("button").disabled = answer.possible === false;
    }
    by("complete").disabled = !answer.missing.length;
    picture();
  };

  const words = (option) => {
    const each = option.values.map((one, n) => {
      const id = `${option.name}-${n}`, is = option.chosen === one.value;
      const input = make("input", { type: "radio", name: option.name, id, checked: is });
      const out = one.possible === false && !is; // it can be chosen all the same: then we say what else would change
      if (one.because) input.setAttribute("aria-describedby", `${id}-why`);
      input.addEventListener("change", () => choose(option.name, one.value));
      return make("label", { className: `choice${out ? " out" : ""}` }, input,
        make("span", {}, make("strong", { textContent: one.title }), make("small", { textContent: plus(one.price) }),
          one.because && out ? make("em", { id: `${id}-why`, textContent: one.because }) : ""));
    });
    return make("fieldset", { id: `option-${option.name}` }, make("legend", { textContent: option.title }),
      make("div", { className: "choices" }, ...each), why(option));
  };

  const number = (option) => {
    const id = `${option.name}-number`, exact = option.type === "measure";
    const from = option.lowest ?? option.min, to = option.highest ?? option.max, now = option.chosen;
    const told = make("output", { textContent: now === null ? "not chosen" : `${now} ${option.unit}` });
    const input = make("input", { type: exact ? "number" : "range", id, min: option.min, max: option.max,
      step: option.step ?? 1, value: now ?? (exact ? "" : option.min) });
    if (exact) input.placeholder = "for example 260";
    input.addEventListener("input", () => { told.textContent = `${input.value} ${option.unit}`; });
    input.addEventListener("change", () => choose(option.name, input.value === "" ? null : Number(input.value)));
    const bounds = from > option.min || to < option.max
      ? make("em", { textContent: `${from} to ${to} ${option.unit} go with the rest${option.because ? `: ${option.because}` : ""}` }) : "";
    return make("fieldset", { id: `option-${option.name}` }, make("legend", { textContent: option.title }),
      make("label", { className: "slide", htmlFor: id }, input, told), bounds, why(option));
  };

  const why = (option) => (option.filled ? make("p", { className: "reason", textContent: `Filled in: ${option.filled}` }) : "");

  const conflicts = () => {
    if (answer.possible !== false) return [];
    const each = answer.conflicts.map((one) => make("p", { className: "conflict", textContent: one.because }));
    if (!answer.repair) return each;
    const said = answer.repair.changes.map((one) => `${one.title}: ${one.after}`).join(", ");
    const mend = make("button", { type: "button", className: "quiet", id: "repair", textContent: `Change it to ${said}` });
    mend.addEventListener("click", () => { chosen = { ...answer.repair.choices }; ask("check"); });
    return [...each, mend];
  };

  const picture = () => {
    const svg = by("drawing").firstElementChild;
    for (const { name, chosen: is } of answer.options) svg.dataset[name] = is ?? "";
    const part = (name) => answer.options.find((one) => one.name === name);
    for (const bar of svg.querySelectorAll("rect[class^=bar-]")) {
      const option = part(bar.getAttribute("class").slice(4));
      const share = Math.sqrt((option.chosen ?? 0) / option.max);
      bar.style.transform = `scaleY(${0.06 + 0.94 * share})`;
    }
    const screen = part("screen")?.chosen;
    if (screen) svg.style.transform = `scale(${0.82 + (screen - 13) * 0.06})`;
  };

  by("complete").addEventListener("click", () => ask("complete"));
  ask("check");
})();
