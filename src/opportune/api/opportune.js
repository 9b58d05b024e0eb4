// Fills the marked slots of a page: <div data-opportune="hero">default content</div>. See docs/pages.md.
(() => {
  "use strict";
  const script = document.currentScript, early = window.opportune;
  if (!script || early?.page) return;

  const { key, page: start, wait: patience, consent: given, user: known, token: signed } = script.dataset;
  const hub = script.src.split("/opportune.js")[0];
  const budget = Number(patience) || 150;
  const reports = "events" in script.dataset, peeks = "peek" in script.dataset;
  const STORED = "opportune_anonymous_id", SEEN = 1000, PART = 100;

  // ---- whom the page speaks for: nothing is stored before consent

  const hex = (byte) => byte.toString(16).padStart(2, "0");
  const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map(hex).join("");
  const store = (work) => { try { return work(localStorage); } catch { return null; } }; // it may be forbidden
  const kept = store((s) => s.getItem(STORED));
  let anonymous = kept || fresh(), agreed = !!kept, user, token;

  const consent = (yes, id) => {
    agreed = !!yes;
    if (agreed) {
      anonymous = String(id || anonymous);
      store((s) => s.setItem(STORED, anonymous));
      viewed();
    } else {
      anonymous = fresh();
      store((s) => s.removeItem(STORED));
    }
  };
  const renew = () => {
    anonymous = fresh();
    if (agreed) store((s) => s.setItem(STORED, anonymous));
  };
  const identify = (id, proof) => {
    if (id == null && user != null) renew(); // who signs out leaves as somebody new
    user = id ?? undefined;
    token = id == null ? undefined : proof;
    if (user !== undefined && reports && agreed) track("identify", {});
  };

  // ---- the way to the hub: text/plain, so that no browser asks for leave before

  const post = (path, body, keepalive) => fetch(`${hub}/${path}?writeKey=${encodeURIComponent(key)}`, {
    method: "POST", body: JSON.stringify(body), credentials: "omit", keepalive,
  });
  const track = (type, more) => post(type, {
    writeKey: key, type, messageId: fresh(), timestamp: new Date().toISOString(), anonymousId: anonymous, userId: user,
    ...more,
  }, true).catch(() => {});

  const told = [];
  let flushing;
  const tell = (made, offer, outcome) => {
    if (!made.id) return; // a peek
    told.push({ decisionId: made.id, action: offer.action, outcome, ...made.by });
    flushing ||= setTimeout(() => flush());
  };
  const flush = (leaving) => {
    clearTimeout(flushing);
    flushing = 0;
    // what outlives the page is 64 KB at most: of a single part, it may always
    const outlives = leaving || told.length <= PART;
    while (told.length) outcomes(told.splice(0, PART), outlives).catch(() => {});
  };
  const outcomes = async (all, outlives) => {
    const answers = await (await post("outcomes", all, outlives)).json();
    // what was shown to the visitor whom a sign-in has made known since
    const again = all.filter((one, i) => token && !one.userToken && answers[i]?.problem?.code === "user-token-needed");
    if (again.length) await post("outcomes", again.map((one) => ({ ...one, userToken: token })), outlives);
  };

  // ---- a page: ask once, fill in time or not at all

  const defaults = new WeakMap();
  let turn = 0, name, reported = 0, end = flush, observer;

  const fill = async (asked, context = {}) => {
    if (!asked) return;
    end(); // of the page before
    const mine = ++turn, started = new Set(), used = new Set();
    name = asked;
    viewed();
    let answer, over = false;
    const made = { by: token ? { userToken: token } : { anonymousId: anonymous } };

    const take = () => {
      for (const slot of document.querySelectorAll("[data-opportune]")) {
        if (started.has(slot)) continue;
        started.add(slot);
        if (answer && !exposed(slot)) put(slot);
        else if (over || exposed(slot)) restore(slot);
        else state(slot, "waiting");
      }
    };
    const put = (slot) => {
      const offers = answer.slots[slot.dataset.opportune];
      if (!offers?.length) return restore(slot);
      try {
        show(slot, offers, made);
        used.add(slot.dataset.opportune);
      } catch {
        restore(slot);
      }
    };
    const close = () => {
      over = true;
      for (const slot of started) if (slot.dataset.opportuneState === "waiting") answer ? put(slot) : restore(slot);
    };
    end = (leaving) => {
      close();
      observer?.disconnect();
      if (answer) release(answer);
      answer = null;
      flush(leaving);
    };
    const release = ({ slots }) => {
      for (const slot in slots) if (!used.has(slot)) for (const offer of slots[slot]) tell(made, offer, "released");
    };

    observer = new MutationObserver(take);
    observer.observe(document, { childList: true, subtree: true });
    take();
    setTimeout(() => over || close(), budget);
    try {
      const reply = await post(`pages/${encodeURIComponent(name)}`, {
        url: location.href, referrer: document.referrer, context, peek: peeks && !agreed && !token,
        language: document.documentElement.lang || navigator.language || "", ...made.by,
      });
      const heard = await reply.json();
      // the id is of somebody who has signed in with it once
      if (heard.code === "user-token-needed" && anonymous === made.by.anonymousId) renew();
      if (!reply.ok) throw heard;
      made.id = heard.decisionId;
      made.items = heard.items;
      if (over || mine !== turn) return release(heard);
      answer = heard;
      close();
    } catch {
      if (!over) close();
    }
  };

  // A page may hide its slots by a rule of its own until the script is there; once that has ended, they were seen.
  const exposed = (slot) => {
    if (slot.dataset.opportuneState) return false;
    const style = getComputedStyle(slot);
    return style.animationName === "opportune-wait" && style.visibility !== "hidden";
  };
  const state = (slot, is, offers, decisionId) => {
    slot.dataset.opportuneState = is;
    if (is === "waiting") slot.style.visibility = "hidden";
    else slot.style.removeProperty("visibility");
    slot.dispatchEvent(new CustomEvent("opportune", { bubbles: true, detail: { state: is, offers, decisionId } }));
  };
  const restore = (slot) => {
    if (defaults.has(slot)) slot.replaceChildren(...defaults.get(slot));
    defaults.delete(slot);
    state(slot, "default");
  };

  // ---- what is shown: content is data, and becomes text, never markup

  const show = (slot, offers, made) => {
    const before = defaults.get(slot) || [...slot.childNodes];
    const named = slot.dataset.template && document.getElementById(slot.dataset.template);
    const template = named || before.find((node) => node.localName === "template");
    const drawn = offers.map((offer) => {
      const items = offer.items.map((one) => ({ ...made.items?.[one.id], ...one }));
      const part = draw(template, { ...offer.content, ...offer.coupon && { code: offer.coupon.code } }, items);
      watch([...part.children], made, offer);
      return part;
    });
    defaults.set(slot, before);
    slot.replaceChildren(...drawn);
    state(slot, "filled", offers, made.id);
  };

  const draw = (template, fields, items) => {
    const part = template ? document.importNode(template.content, true) : plain(fields, items);
    for (const node of part.querySelectorAll("[data-field]")) {
      const text = word(fields[node.dataset.field]);
      if (!text) node.remove();
      else if (node.localName === "img") aim(node, "src", text);
      else node.textContent = text;
    }
    for (const node of part.querySelectorAll("[data-href]")) aim(node, "href", word(fields[node.dataset.href]));
    for (const node of part.querySelectorAll("[data-alt]")) node.alt = word(fields[node.dataset.alt]);
    for (const inner of part.querySelectorAll("template[data-items]"))
      inner.replaceWith(...items.map((one) => draw(inner, one, [])));
    return part;
  };
  const word = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");
  const aim = (node, attribute, text) => {
    try {
      const url = new URL(text, document.baseURI);
      if (text && /^(https?|mailto|tel):$/.test(url.protocol)) return node.setAttribute(attribute, url.href);
    } catch { /* no address */ }
    if (attribute === "src") node.remove();
    else node.removeAttribute(attribute);
  };

  const plain = (fields, items) => {
    const part = new DocumentFragment();
    const add = (parent, tag, data) => {
      const node = parent.appendChild(document.createElement(tag));
      Object.assign(node.dataset, data);
      return node;
    };
    const box = add(part, "div"), into = fields.url ? add(box, "a", { href: "url" }) : box;
    box.className = "opportune-offer";
    add(into, "img", { field: "image", alt: "alt" });
    add(into, "strong", { field: "title" });
    add(into, "p", { field: "text" });
    if (fields.button) add(into, fields.url ? "span" : "button", { field: "button" });
    if (items.length) {
      const each = add(add(box, "ul"), "template", { items: "" });
      add(add(each.content, "li"), "a", { href: "url", field: "title" });
    }
    return part;
  };

  // ---- what became of it: seen is half of it (or half of the window) for a second, in a tab that is looked at

  const watched = new WeakMap();
  const eyes = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting, intersectionRatio, intersectionRect: r, rootBounds: w } of entries) {
      const one = watched.get(target), area = r.width * r.height;
      if (isIntersecting && area && (intersectionRatio >= 0.5 || (w && area >= w.width * w.height / 2))) {
        one.timer ||= setTimeout(one.look, SEEN);
      } else {
        clearTimeout(one.timer);
        one.timer = 0;
      }
    }
  }, { threshold: [0, 0.1, 0.2, 0.3, 0.4, 0.5] });

  const watch = (roots, made, offer) => {
    if (!roots.length) return;
    const one = {
      look: () => {
        if (document.hidden) one.timer = setTimeout(one.look, SEEN);
        else one.seen();
      },
      seen: () => {
        eyes.unobserve(roots[0]);
        clearTimeout(one.timer);
        if (!one.done) tell(made, offer, "impression");
        one.done = true;
      },
    };
    watched.set(roots[0], one);
    eyes.observe(roots[0]);
    const act = ({ target }) => {
      const on = target.closest("[data-outcome], a[href], button");
      if (!on) return;
      one.seen();
      const outcome = on.dataset.outcome || "click";
      if (offer.outcomes.includes(outcome)) tell(made, offer, outcome);
      flush(); // the page may be left now
    };
    for (const root of roots) for (const kind of ["click", "auxclick"]) root.addEventListener(kind, act);
  };

  // ---- events, only if the tag says `data-events`, and only with consent

  const viewed = () => {
    if (!reports || !agreed || !name || reported === turn) return;
    reported = turn;
    const properties = { path: location.pathname, title: document.title, referrer: document.referrer };
    track("page", { name, properties });
  };

  // ---- nothing of this may disturb the page

  const safe = (work) => (...all) => {
    try {
      Promise.resolve(work(...all)).catch(() => {});
    } catch { /* the default content stays */ }
  };
  const page = (asked, context) => fill(asked || name || start, context);
  const api = { page: safe(page), identify: safe(identify), consent: safe(consent) };
  window.opportune = api;
  addEventListener("pagehide", safe(() => end(true)));
  if (given) api.consent(given === "granted");
  if (known) api.identify(known, signed);
  if (Array.isArray(early)) early.forEach(safe(([what, ...all]) => api[what](...all)));
  if (start && !turn) api.page(start);
})();
