/* Previews: a link into the book shows what it leads to, while the pointer rests on it or the
   keyboard has it. Escape hides the preview, and the pointer may move onto it. A tap follows the
   link, and so does everything where the preview cannot be had (a file:// page fetches no other). */
(() => {
  const LINKS = ".bd-article a.internal, .bd-article a.footnote-reference";
  const DELAY = 250; // milliseconds, for a pointer that only passes, or is on its way
  const pages = new Map();
  const preview = document.createElement("div");
  preview.id = "preview";
  preview.setAttribute("role", "tooltip");
  preview.hidden = true;
  document.body.append(preview);
  let current = null;
  let timer;

  async function pageOf(url) {
    if (url.pathname === location.pathname) return document;
    if (!pages.has(url.pathname)) {
      const text = await (await fetch(url.pathname)).text();
      pages.set(url.pathname, new DOMParser().parseFromString(text, "text/html"));
    }
    return pages.get(url.pathname);
  }

  /* The elements to show of a page: the one of this id, or its beginning. */
  function excerpt(page, id) {
    let target = id ? page.getElementById(id) : page.querySelector(".bd-article h1");
    if (!target) return [];
    if (!target.textContent.trim() && !target.querySelector("img")) target = target.parentElement;
    if (target.matches("h1")) target = target.parentElement;
    if (target.matches("section")) {
      const heading = target.querySelector("h1, h2, h3, h4");
      return [heading, target.querySelector(":scope > p")].filter(Boolean);
    }
    if (target.matches("dt")) {
      const meaning = target.parentElement.querySelector(`#${CSS.escape(id)} ~ dd`);
      return [target, meaning.querySelector("p") ?? meaning];
    }
    return [target];
  }

  /* A copy without what belongs to the page it comes from: ids, and links to be followed. */
  function copyOf(element, url) {
    const copy = document.importNode(element, true);
    copy.querySelectorAll(".headerlink, .backrefs, .label, button, script").forEach((e) => e.remove());
    for (const e of [copy, ...copy.querySelectorAll("*")]) {
      e.removeAttribute("id");
      if (e.matches("a")) e.removeAttribute("href");
      if (e.matches("img")) e.src = new URL(e.getAttribute("src"), url).href;
    }
    return copy;
  }

  function place(link) {
    const line = link.getClientRects()[0];
    const width = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(line.left, width - preview.offsetWidth - 8));
    const below = line.bottom + preview.offsetHeight + 8 < innerHeight;
    const top = below ? line.bottom + 4 : line.top - preview.offsetHeight - 4;
    preview.style.left = `${left + scrollX}px`;
    preview.style.top = `${Math.max(top, 8) + scrollY}px`;
  }

  async function show(link) {
    hide();
    current = link;
    const url = new URL(link.href);
    const page = await pageOf(url).catch(() => null);
    if (!page || current !== link) return;
    const parts = excerpt(page, decodeURIComponent(url.hash.slice(1)));
    if (!parts.length) return;
    preview.replaceChildren(...parts.map((part) => copyOf(part, url)));
    preview.hidden = false;
    place(link);
    link.setAttribute("aria-describedby", preview.id);
  }

  function hide() {
    clearTimeout(timer);
    preview.hidden = true;
    current?.removeAttribute("aria-describedby");
    current = null;
  }

  function later(action, ...values) {
    clearTimeout(timer);
    timer = setTimeout(action, DELAY, ...values);
  }

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = event.target.closest(LINKS);
    if (link && link !== current) later(show, link);
    else if (link || preview.contains(event.target)) clearTimeout(timer);
    else if (!current?.matches(":focus-visible")) later(hide);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(LINKS) && event.target.matches(":focus-visible")) show(event.target);
    else hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
})();
