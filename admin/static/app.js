// What pages need beyond HTML: times in the reader's zone, lists that stay fresh without moving, and copy buttons.
// Everything works without it, only less comfortably.
(function () {
  "use strict";

  // Times. The server writes each moment in the zone of its source; the reader sees it in theirs, and the source's in
  // the title.
  var day = function (d) { return d.getFullYear() + "-" + d.getMonth() + "-" + d.getDate(); };
  var formats = {
    clock: { hour: "2-digit", minute: "2-digit" },
    seconds: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
    day: { day: "numeric", month: "short" },
    dayYear: { day: "numeric", month: "short", year: "numeric" },
    full: { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" }
  };
  var made = {};
  var format = function (name, d) {
    if (!made[name]) { formats[name].hourCycle = "h23"; made[name] = new Intl.DateTimeFormat(document.documentElement.lang || "en-GB", formats[name]); }
    return made[name].format(d);
  };
  var units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  var relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
  var fromNow = function (d) {
    var s = Math.round((d - Date.now()) / 1000), a = Math.abs(s);
    for (var i = 0; i < units.length; i++) {
      if (a >= units[i][1] * (units[i][0] === "second" ? 0 : 1)) { return relative.format(Math.trunc(s / units[i][1]), units[i][0]); }
    }
    return "now";
  };
  // How long something goes on, by the server's clock: the reader's may be wrong.
  var skew = 0;
  var setSkew = function () {
    var el = document.querySelector("[data-now]");
    if (el) { skew = Date.parse(el.dataset.now) - Date.now(); }
  };
  var elapsed = function (d) {
    var s = Math.max(0, Math.floor((Date.now() + skew - d) / 1000)), two = function (n) { return (n < 10 ? "0" : "") + n; };
    return s < 3600 ? Math.floor(s / 60) + ":" + two(s % 60) : Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
  };
  var show = function (el) {
    var d = new Date(el.getAttribute("datetime")), style = el.dataset.style, now = new Date(), text;
    if (isNaN(d)) { return; }
    if (style === "relative") { text = fromNow(d); }
    else if (style === "elapsed") { text = elapsed(d); }
    else if (style === "full") { text = format("full", d); }
    else {
      text = format(style === "seconds" ? "seconds" : "clock", d);
      if (day(d) !== day(now)) {
        var date = format(d.getFullYear() === now.getFullYear() ? "day" : "dayYear", d);
        text = style === "sentence" ? text + " on " + date : date + ", " + text;
      }
    }
    if (el.textContent !== text) { el.textContent = text; }
  };
  var showAll = function (root) { root.querySelectorAll("time[datetime]").forEach(show); };
  var progress = function () {
    document.querySelectorAll("progress[data-from]").forEach(function (el) {
      var from = Date.parse(el.dataset.from), to = Date.parse(el.dataset.to);
      el.value = Math.max(0, Math.min(1, (Date.now() - from) / (to - from)));
    });
  };
  setSkew();
  showAll(document);
  progress();
  setInterval(function () {
    document.querySelectorAll("time[data-style=relative], time[data-style=elapsed]").forEach(show);
    progress();
  }, 1000);

  // Fresh lists. A part with data-refresh is fetched again while the reader is at its top and not selecting or typing,
  // so that nothing moves under their eyes, nor while they listen to a recording, which would begin anew.
  var idle = function (el) {
    var selection = window.getSelection();
    return document.visibilityState === "visible" && el.getBoundingClientRect().top > -120 &&
      !(selection && !selection.isCollapsed) &&
      !Array.from(el.querySelectorAll("audio")).some(function (a) { return !a.paused || a.currentTime > 0 && !a.ended; }) && !document.querySelector("details[data-hold][open], [data-refresh] tbody input:checked");
  };
  setInterval(function () {
    document.querySelectorAll("[data-refresh]").forEach(function (el) {
      var note = document.getElementById("live-note"), may = idle(el);
      if (note) { note.textContent = may ? "Updates by itself" : "Updates paused while you read"; }
      if (may && window.htmx) { window.htmx.trigger(el, "refresh"); }
    });
  }, 4000);
  // What the reader opened stays open, and what has the focus keeps it: htmx finds again what has an id, this the rest. If it is
  // gone, the focus goes to what has taken the place, so that the keyboard goes on from there.
  var lost = null;
  var sameness = function (el) {
    var form = el.closest("form");
    return [el.tagName, el.getAttribute("name"), el.getAttribute("href"), el.type === "checkbox" || el.tagName === "BUTTON" ? el.value : "", form ? form.getAttribute("action") : "", el.tagName === "SUMMARY" ? el.textContent : ""].join("\n");
  };
  document.addEventListener("htmx:beforeSwap", function (e) {
    var el = document.activeElement, target = e.detail.target;
    lost = el && el !== document.body && target && target.contains(el) ? { key: sameness(el), id: el.id, place: target.id } : null;
  });
  document.addEventListener("htmx:afterSwap", function () {
    var active = document.activeElement, was = lost, place;
    if (!was || active && active !== document.body) { return; }
    lost = null;
    place = was.place ? document.getElementById(was.place) : document.querySelector("main");
    if (!place) { return; }
    var again = Array.from(place.querySelectorAll("a[href], button, input, select, textarea, summary")).find(function (el) { return was.id ? el.id === was.id : sameness(el) === was.key; });
    if (!again || again.disabled) { place.tabIndex = -1; again = place; }
    again.focus({ preventScroll: true });
  });
  var open = [];
  document.addEventListener("htmx:beforeSwap", function () {
    open = Array.from(document.querySelectorAll("details[id][open]")).map(function (d) { return d.id; });
  });
  document.addEventListener("htmx:afterSwap", function () {
    setSkew();
    open.forEach(function (id) { var d = document.getElementById(id); if (d) { d.open = true; } });
    showAll(document);
    progress();
  });

  // The live board: the stream says that something is different, the board itself comes from the server.
  var live = document.querySelector("[data-live]");
  if (live && window.EventSource) {
    var due = null, status = document.getElementById("live-status"), stream = new EventSource(live.dataset.live);
    var fetchBoard = function () { due = null; window.htmx.trigger("#live", "refresh"); };
    var different = function () {
      status.textContent = "Updates by itself";
      if (!due) { due = setTimeout(fetchBoard, 300); }
    };
    stream.addEventListener("snapshot", different);
    stream.addEventListener("change", different);
    stream.addEventListener("error", function () {
      status.textContent = stream.readyState === EventSource.CLOSED ? "Not connected: reload the page" : "Connecting again …";
    });
  }

  // What was asked for in place and refused is said in place: pages that are reloaded show it themselves.
  document.addEventListener("htmx:responseError", function (e) {
    var request = e.detail.requestConfig;
    if (e.detail.xhr.status === 409 && request && request.verb === "get" && !document.getElementById("elsewhere")) {
      var gone = document.createElement("p");
      gone.id = "elsewhere";
      gone.className = "flash bad";
      gone.setAttribute("role", "alert");
      gone.textContent = "You have gone to another workspace in another tab. This page is no longer kept up to date; load it again to see where you are.";
      document.getElementById("main").prepend(gone);
    }
    if (!request || request.verb === "get" || !e.detail.target) { return; }
    var page = new DOMParser().parseFromString(e.detail.xhr.responseText, "text/html"), said = page.querySelector("main .empty p, main p:not(.small)");
    var note = document.createElement("p");
    note.className = "flash bad";
    note.setAttribute("role", "alert");
    note.textContent = said ? said.textContent : "This did not work. Load the page again and try once more.";
    e.detail.target.replaceChildren(note);
  });

  // What is wrong with a text leads to its line.
  document.addEventListener("click", function (e) {
    var to = e.target.closest("[data-line]"), text = to && document.getElementById(to.dataset.in);
    if (!text) { return; }
    var lines = text.value.split("\n"), n = Math.min(Number(to.dataset.line), lines.length) - 1, at = 0;
    for (var i = 0; i < n; i++) { at += lines[i].length + 1; }
    text.focus();
    text.setSelectionRange(at, at + lines[n].length);
    text.scrollTop = Math.max(0, text.scrollHeight / lines.length * (n - 5));
  });

  document.addEventListener("click", function (e) {
    var button = e.target.closest("[data-copy]");
    if (!button || !navigator.clipboard) { return; }
    navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(function () {
      var before = button.textContent;
      button.textContent = "Copied";
      setTimeout(function () { button.textContent = before; }, 1500);
    });
  });

  // What is a day depends on where the reader is.
  document.querySelectorAll("[data-zone]").forEach(function (el) { el.value = Intl.DateTimeFormat().resolvedOptions().timeZone || ""; });

  // Lists of calls: the keyboard goes through them, ticks choose some, and addresses have no empty filters.
  document.addEventListener("keydown", function (e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && e.target.type !== "checkbox") { return; }
    var search = document.getElementById("q"), rows = Array.from(document.querySelectorAll("#calls a.main"));
    if (e.key === "/" && search) { e.preventDefault(); search.focus(); search.select(); }
    if (!rows.length || (e.key !== "j" && e.key !== "k" && e.key !== "x")) { return; }
    var row = document.activeElement.closest("#calls tr.link"), at = row ? rows.indexOf(row.querySelector("a.main")) : -1;
    e.preventDefault();
    if (e.key === "x") {
      var tick = row && row.querySelector("input[type=checkbox]");
      if (tick) { tick.click(); }
      return;
    }
    rows[Math.max(0, Math.min(rows.length - 1, at + (e.key === "j" ? 1 : -1)))].focus();
  });
  var chosen = function () {
    var ticks = Array.from(document.querySelectorAll("#calls input[form=bulk]")), n = ticks.filter(function (t) { return t.checked; }).length;
    document.querySelectorAll("[data-chosen]").forEach(function (b) { b.disabled = n === 0; b.textContent = n === 0 ? "Deliver again" : "Deliver " + n + " again"; });
    document.querySelectorAll("[data-tick-all]").forEach(function (a) { a.checked = n > 0 && n === ticks.length; a.indeterminate = n > 0 && n < ticks.length; });
  };
  document.addEventListener("change", function (e) {
    if (e.target.matches("[data-tick-all]")) {
      document.querySelectorAll("#calls input[form=bulk]").forEach(function (t) { t.checked = e.target.checked; });
    }
    if (e.target.closest("#calls")) { chosen(); }
  });
  document.addEventListener("htmx:afterSwap", chosen);
  chosen();
  document.addEventListener("htmx:configRequest", function (e) {
    if (!e.detail.elt.matches("form.filters")) { return; }
    var p = e.detail.parameters, days = p.from || p.to || p.when === "today" || p.when === "yesterday";
    Object.keys(p).forEach(function (name) { if (!p[name] || name === "zone" && !days) { delete p[name]; } });
  });
  document.addEventListener("click", function (e) {
    var link = e.target.closest("[data-zone-link]"), zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!link || !zone) { return; }
    var to = new URL(link.href);
    to.searchParams.set("zone", zone);
    link.href = to;
  });

  // The menu of narrow screens, and those that open below a word: Escape closes them, and so does going elsewhere.
  var menu = document.querySelector("[data-nav]"), nav = document.getElementById("nav");
  var showMenu = function (on) {
    nav.classList.toggle("open", on);
    menu.setAttribute("aria-expanded", String(on));
  };
  if (menu) { menu.addEventListener("click", function () { showMenu(menu.getAttribute("aria-expanded") !== "true"); }); }
  var closeMenus = function (back, but) {
    document.querySelectorAll("details[data-menu][open]").forEach(function (d) {
      if (d === but) { return; }
      d.open = false;
      if (back) { d.querySelector("summary").focus(); }
    });
  };
  document.addEventListener("keydown", function (e) {
    if (e.key !== "Escape") { return; }
    closeMenus(true);
    if (menu && menu.getAttribute("aria-expanded") === "true") { showMenu(false); menu.focus(); }
  });
  document.addEventListener("click", function (e) { closeMenus(false, e.target.closest("[data-menu]")); });
  document.addEventListener("focusin", function (e) { closeMenus(false, e.target.closest("[data-menu]")); });
})();
