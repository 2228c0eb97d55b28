// Steps, filters and marks. Everything that is shown stands in the page already; this script adds no
// markup, and what it writes it writes as text.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const numbers = (text) => (text ? text.split(" ").map(Number) : []);

  // Per story its drawn parts and its list, found once.
  const stories = [...document.querySelectorAll(".story")].map((section) => {
    const body = section.querySelector(".body");
    const list = [...section.querySelectorAll("ol > li")];
    const steps = new Map(list.filter((it) => it.dataset.k).map((it) => [it.value, {
      li: it,
      kind: Number(it.dataset.k),
      nodes: numbers(it.dataset.n),
      paths: numbers(it.dataset.p),
      causes: numbers(it.dataset.c),
    }]));
    for (const row of body.querySelectorAll(".row")) {
      const step = steps.get(Number(row.dataset.s));
      step.row = row;
      step.top = row.y.baseVal.value;
      step.height = row.height.baseVal.value;
    }
    for (const group of body.querySelectorAll(".step")) steps.get(Number(group.dataset.s)).group = group;
    const spans = [...body.querySelectorAll(".msg, .op")].map((group) => ({
      group,
      begin: Number(group.dataset.s),
      end: Number(group.dataset.e),
      nodes: numbers(group.dataset.n),
      paths: numbers(group.dataset.p),
      isMessage: group.classList.contains("msg"),
    }));
    const shown = list.flatMap((it) => [...it.querySelectorAll("[data-shows]")].map((change) => ({
      step: it.value, node: change.dataset.n, path: Number(change.dataset.p), versions: change.dataset.shows,
    })));
    return { section, body, steps, spans, shown, figure: section.querySelector("figure"),
      told: section.querySelector(".list"), table: section.querySelector(".shown table"),
      now: body.querySelector(".now"), veil: body.querySelector(".veil"), here: null };
  });
  const first = Number($("scrub").min), last = Number($("scrub").max);
  const pathNames = [...document.querySelectorAll('[data-filter="p"]')].map((it) => it.parentElement.textContent.trim());
  let current = first, coned = false;

  // The steps that a step follows from, directly or not. Causes come before what they cause, so
  // one pass back is enough.
  const coneOf = (story, number) => {
    const cone = new Set([number]);
    for (let at = number; at > first; at--) {
      if (cone.has(at)) story.steps.get(at)?.causes.forEach((it) => cone.add(it));
    }
    return cone;
  };

  const drawCone = (story) => {
    story.body.classList.toggle("coned", coned);
    const cone = coned ? coneOf(story, current) : new Set();
    for (const [number, step] of story.steps) {
      step.group.classList.toggle("in", cone.has(number));
      step.row.classList.toggle("in", cone.has(number));
    }
    for (const it of story.spans) {
      const isIn = it.isMessage ? cone.has(it.end) && (it.begin === first || cone.has(it.begin)) : cone.has(it.begin);
      it.group.classList.toggle("in", isIn);
    }
  };

  // What each node shows of each path, from the differences up to a step.
  const drawTable = (story) => {
    const latest = new Map();
    for (const it of story.shown) {
      if (it.step > current) break;
      if (!latest.has(it.path)) latest.set(it.path, new Map());
      latest.get(it.path).set(it.node, it.versions);
    }
    const table = story.table;
    while (table.rows.length) table.deleteRow(0);
    const nodes = [...document.querySelectorAll('[data-filter="n"]')].map((it) => it.value);
    const head = table.insertRow();
    head.insertCell().textContent = latest.size ? "path" : "no node shows anything yet";
    if (latest.size) nodes.forEach((it) => { head.insertCell().textContent = `n${it}`; });
    [...latest].slice(0, 12).forEach(([path, versions]) => {
      const row = table.insertRow();
      row.insertCell().textContent = pathNames[path] ?? `path ${path}`;
      nodes.forEach((it) => { row.insertCell().textContent = versions.get(it) ?? ""; });
    });
    if (latest.size > 12) table.insertRow().insertCell().textContent = `and ${latest.size - 12} more paths`;
  };

  const intoView = (box, top, height) => {
    const margin = Math.min(90, box.clientHeight / 4);
    if (top < box.scrollTop + margin) box.scrollTop = top - margin;
    else if (top + height > box.scrollTop + box.clientHeight - margin) box.scrollTop = top + height + margin - box.clientHeight;
  };

  const draw = (story) => {
    const end = Math.max(first, ...[...story.steps.keys()].slice(-1));
    const step = story.steps.get(Math.min(current, end));
    const top = step && current > first ? step.top : 0, height = step && current > first ? step.height : 0;
    const below = current > first ? top + height : story.body.height.baseVal.value;
    story.now.setAttribute("y", top);
    story.now.setAttribute("height", height);
    story.veil.setAttribute("y", below);
    story.veil.setAttribute("height", Math.max(0, story.body.height.baseVal.value - below));
    story.here?.classList.remove("here");
    story.here = current > first && step ? step.li : null;
    story.here?.classList.add("here");
    intoView(story.figure, top, height);
    if (story.here) intoView(story.told, story.here.offsetTop, story.here.offsetHeight);
    else story.told.scrollTop = 0;
    drawTable(story);
    if (coned || story.body.classList.contains("coned")) drawCone(story);
  };

  const go = (number, keepAddress) => {
    current = Math.max(first, Math.min(last, Math.round(number)));
    stories.forEach(draw);
    $("scrub").value = current;
    $("where").value = current > first ? `step ${current} of ${last}` : `start, ${last - first} steps`;
    const said = stories.map((it) => it.steps.get(current)?.li.querySelector("span").textContent).filter(Boolean);
    $("said").textContent = current > first ? `${current}. ${[...new Set(said)].join(" | ")}` : "";
    $("scrub").setAttribute("aria-valuetext", $("said").textContent || "start");
    if (!keepAddress) history.replaceState(null, "", current > first ? `#step-${current}` : "#start");
  };

  const nextBreak = () => {
    const broken = stories.flatMap((it) => [...it.steps].filter(([, step]) => step.li.classList.contains("broken")).map(([at]) => at));
    broken.sort((a, b) => a - b);
    if (broken.length) go(broken.find((it) => it > current) ?? broken[0]);
  };

  const filter = () => {
    const chosen = (key) => new Set([...document.querySelectorAll(`[data-filter="${key}"]`)].filter((it) => it.checked).map((it) => Number(it.value)));
    const isAll = (key) => [...document.querySelectorAll(`[data-filter="${key}"]`)].every((it) => it.checked);
    const [nodes, kinds, paths] = ["n", "k", "p"].map(chosen), allNodes = isAll("n"), allPaths = isAll("p");
    const passes = (it) => (allNodes || it.nodes.some((node) => nodes.has(node)))
      && (allPaths || it.paths.some((path) => paths.has(path)));
    for (const story of stories) {
      const kept = new Set();
      for (const [number, step] of story.steps) {
        const isKept = kinds.has(step.kind) && passes(step);
        if (isKept) kept.add(number);
        step.group.classList.toggle("off", !isKept);
        step.li.classList.toggle("filtered", !isKept);
      }
      for (const it of story.spans) {
        const touches = kept.has(it.begin) || kept.has(it.end) || it.begin === first;
        it.group.classList.toggle("off", !(touches && passes(it)));
      }
    }
  };

  const cone = (isOn) => {
    coned = isOn;
    $("cone").setAttribute("aria-pressed", String(coned));
    stories.forEach(drawCone);
  };

  const fromAddress = () => {
    const found = /^#step-(\d{1,9})$/.exec(location.hash);
    go(found ? Number(found[1]) : first, true);
  };

  const keys = {
    ArrowRight: () => go(current + 1), j: () => go(current + 1),
    ArrowLeft: () => go(current - 1), k: () => go(current - 1),
    PageDown: () => go(current + 10), PageUp: () => go(current - 10),
    Home: () => go(first), End: () => go(last),
    b: nextBreak, c: () => cone(!coned),
  };
  addEventListener("keydown", (event) => {
    const isField = event.target instanceof HTMLInputElement && event.target.type === "range" && event.key.length > 1;
    if (event.ctrlKey || event.altKey || event.metaKey || isField || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  $("scrub").addEventListener("input", (event) => go(Number(event.target.value)));
  $("back").addEventListener("click", () => go(current - 1));
  $("on").addEventListener("click", () => go(current + 1));
  $("break").addEventListener("click", nextBreak);
  $("cone").addEventListener("click", () => cone(!coned));
  $("filters").addEventListener("change", filter);
  $("all").addEventListener("click", () => {
    document.querySelectorAll("[data-filter]").forEach((it) => { it.checked = true; });
    filter();
  });
  for (const story of stories) {
    story.body.addEventListener("click", (event) => {
      const y = event.clientY - story.body.getBoundingClientRect().top;
      const hit = [...story.steps].find(([, step]) => y >= step.top && y < step.top + step.height);
      if (hit) go(hit[0]);
    });
    story.told.addEventListener("click", (event) => {
      const item = event.target.closest("ol > li[data-k]");
      if (item) go(item.value);
    });
  }
  $("break").disabled = !document.querySelector("li.broken");
  addEventListener("hashchange", fromAddress);
  fromAddress();
})();
