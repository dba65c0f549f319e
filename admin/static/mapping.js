// The editor of mappings: choices with what they mean, rows that are tried while they are typed, moving rows, and a question
// before changes are lost. Without it the page works by its buttons.
(function () {
  "use strict";
  var form = document.getElementById("mapping-form"), htmx = window.htmx;
  if (!form || !htmx) { return; }
  var leaving = false, rows = function () { return document.getElementById("rows"); };
  var say = function (text) { var el = document.getElementById("done"); if (el) { el.textContent = text; } };
  var rowOf = function (el) { return el.closest("[data-row]"); };
  var changed = function (el) { el.dispatchEvent(new Event("input", { bubbles: true })); };

  // What is not saved yet.
  var unsaved = function () { var e = document.getElementById("editor"); return !!e && e.hasAttribute("data-unsaved"); };
  var touch = function () {
    var e = document.getElementById("editor");
    e.setAttribute("data-unsaved", "");
    ["unsaved", "discard"].forEach(function (id) { var el = document.getElementById(id); if (el) { el.hidden = false; } });
  };
  form.addEventListener("input", touch);
  window.addEventListener("beforeunload", function (e) { if (unsaved() && !leaving) { e.preventDefault(); } });
  document.addEventListener("click", function (e) {
    var button = e.target.closest("button[name=do]");
    if (e.target.closest("#discard") || button && (button.value === "save" || button.value === "overwrite" || button.value === "return")) { leaving = true; }
  });
  document.addEventListener("htmx:afterSettle", function (e) {
    if (e.target.id !== "editor") { return; }
    leaving = false;
    var conflict = document.getElementById("conflict");
    if (conflict) { conflict.scrollIntoView({ block: "start" }); conflict.focus(); }
    dress();
    busy = {}; // what was asked for rows that are gone is never answered
    again = {};
    form.querySelectorAll(".maprow:has(> details[open])").forEach(tryRow);
    htmx.trigger("#preview-card", "refresh");
  });

  // A row that was opened before there was a call to try it on.
  document.addEventListener("htmx:oobAfterSwap", function (e) {
    if (e.detail.target.id !== "chosen" && e.target.id !== "chosen") { return; }
    form.querySelectorAll(".maprow:has(> details[open])").forEach(function (item) { if (!item.querySelector(".gave, .fails")) { tryRow(item); } });
  });

  // A row is tried while it is typed. One request of a row is under way at a time.
  var timers = {}, busy = {}, again = {};
  var tryRow = function (item) {
    var key = item.dataset.row, said = document.getElementById("said-" + key), chosen = document.getElementById("chosen-call"), values = { n: item.dataset.n || "1" };
    if (!said || !item.querySelector("[name='" + key + ".target']")) { return; }
    if (busy[key]) { again[key] = true; return; }
    item.querySelectorAll("[name]").forEach(function (el) { if (el.name !== "do") { values[el.name] = el.value; } });
    if (chosen) { values.call = chosen.value; }
    busy[key] = true;
    var mine = busy, ready = function () {
      mine[key] = false;
      if (mine === busy && again[key]) { again[key] = false; tryRow(item); }
    };
    htmx.ajax("POST", form.dataset.rowUrl, { values: values, target: said, swap: "outerHTML" }).then(ready, ready);
  };
  form.addEventListener("input", function (e) {
    var item = rowOf(e.target);
    if (!item) { return; }
    clearTimeout(timers[item.dataset.row]);
    timers[item.dataset.row] = setTimeout(function () { tryRow(item); }, 300);
  });
  form.addEventListener("change", function (e) {
    if (e.target.id === "chosen-call") { form.querySelectorAll(".maprow:has(> details[open])").forEach(tryRow); return; }
    // What was a field is an expression, too.
    var item = rowOf(e.target), key = item && item.dataset.row;
    if (!item || e.target.name !== key + ".form") { return; }
    var field = document.getElementById(key + ".name"), text = document.getElementById(key + ".text");
    if (e.target.value !== "field" && e.target.value !== "const" && !text.value && field.value) { text.value = e.target.value === "template" ? "{{ " + field.value + " }}" : field.value; }
    if (e.target.value === "field" && !field.value && /^[\w.[\]]+$/.test(text.value)) { field.value = text.value; }
  });
  form.addEventListener("toggle", function (e) {
    var item = rowOf(e.target);
    if (item && e.target.id === "row-" + item.dataset.row && e.target.open) { tryRow(item); }
  }, true);

  // Moving and taking out. The order of the rows is that of the page.
  var dress = function () {
    var list = rows();
    if (!list) { return; }
    Array.from(list.children).forEach(function (item, i) {
      item.dataset.n = i + 1;
      item.querySelector("[data-move='-1']").disabled = i === 0;
      item.querySelector("[data-move='1']").disabled = i === list.children.length - 1;
    });
  };
  var nameOf = function (item) { var b = item.querySelector(".to b"); return b ? b.textContent.trim() : "The row"; };
  var move = function (item, by) {
    var other = by < 0 ? item.previousElementSibling : item.nextElementSibling, active = document.activeElement;
    if (!other) { return; }
    if (by < 0) { other.before(item); } else { other.after(item); }
    dress();
    if (active && item.contains(active) && !active.disabled) { active.focus(); } else { item.querySelector("summary").focus(); }
    say(nameOf(item) + " is row " + item.dataset.n + " now.");
    changed(item.querySelector("[name=row]"));
  };
  form.addEventListener("click", function (e) {
    var button = e.target.closest("[data-move], [data-remove]"), item = button && rowOf(button);
    if (!item) { return; }
    e.preventDefault();
    e.stopPropagation();
    if (button.dataset.move) { move(item, Number(button.dataset.move)); return; }
    var next = item.nextElementSibling || item.previousElementSibling, list = rows(), at = Array.from(list.children).indexOf(item);
    if (!next) { say("A mapping has at least one row."); return; }
    item.remove();
    dress();
    next.querySelector("summary").focus();
    var old = document.getElementById("undo"), undo = document.createElement("p"), back = document.createElement("button");
    if (old) { old.remove(); }
    undo.id = "undo";
    undo.className = "body small row";
    undo.setAttribute("role", "status");
    undo.textContent = "Taken out: " + nameOf(item) + ". ";
    back.type = "button";
    back.textContent = "Put it back";
    back.addEventListener("click", function () {
      list.insertBefore(item, list.children[at] || null);
      undo.remove();
      dress();
      item.querySelector("summary").focus();
      changed(item.querySelector("[name=row]"));
    });
    undo.append(back);
    list.after(undo);
    changed(form.querySelector("[name=base]"));
  }, true);
  form.addEventListener("keydown", function (e) {
    var item = rowOf(e.target);
    if (item && e.altKey && !e.ctrlKey && !e.metaKey && (e.key === "ArrowUp" || e.key === "ArrowDown")) {
      e.preventDefault();
      move(item, e.key === "ArrowUp" ? -1 : 1);
      return;
    }
    // Enter in a field does not press the first button of the form.
    if (e.key === "Enter" && e.target.tagName === "INPUT" && !e.defaultPrevented) { e.preventDefault(); }
    if (e.key === "s" && (e.ctrlKey || e.metaKey)) {
      var save = form.querySelector("button[value=save]");
      if (save) { e.preventDefault(); save.click(); }
    }
  });

  // Choices: a combobox with a listbox, as ARIA 1.2 describes it. Focus stays in the field.
  var box = null, most = 60;
  var read = {};
  var offersOf = function (id) {
    if (read[id]) { return read[id]; }
    var list = document.getElementById(id), out = [];
    if (!list) { return out; }
    Array.from(list.querySelectorAll("option")).forEach(function (o) {
      out.push({ value: o.value, name: o.value, label: o.dataset.label || (o.textContent !== o.value ? o.textContent : ""), about: o.dataset.about || "", type: o.dataset.type || "", off: o.hasAttribute("data-off") });
    });
    if (id === "sources" || id === "crm-fields") { read[id] = out; }
    return out;
  };
  var functionsOffered = function () {
    var t = document.getElementById("functions");
    return t ? Array.from(t.content.children).map(function (o) { return { value: o.dataset.value, name: o.dataset.name, label: o.dataset.label, about: o.dataset.about, call: true }; }) : [];
  };
  var plain = function (s) { return s.toLowerCase().replace(/[\s_.-]/g, ""); };
  var fits = function (offers, typed) {
    var q = plain(typed), ranked = [];
    offers.forEach(function (o, i) {
      var name = plain(o.name), label = plain(o.label), at = !q ? 3 : name === q ? 0 : label.indexOf(q) === 0 || name.indexOf(q) === 0 ? 1 : label.indexOf(q) > 0 || name.indexOf(q) > 0 ? 2 : -1;
      if (at >= 0) { ranked.push([at + (o.off ? 10 : 0), i, o]); }
    });
    ranked.sort(function (a, b) { return a[0] - b[0] || a[1] - b[1]; });
    return ranked.map(function (r) { return r[2]; });
  };
  var close = function () {
    if (!box) { return; }
    box.el.removeAttribute("aria-activedescendant");
    if (box.el.tagName === "INPUT") { box.el.setAttribute("aria-expanded", "false"); }
    box.list.remove();
    box = null;
  };
  var select = function (n) {
    var items = box.list.querySelectorAll("[role=option]");
    if (!items.length) { return; }
    if (box.at >= 0 && items[box.at]) { items[box.at].setAttribute("aria-selected", "false"); }
    box.at = (n + items.length) % items.length;
    var item = items[box.at];
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    box.el.setAttribute("aria-activedescendant", item.id);
  };
  // Where the word begins that is typed, and what it is.
  var word = function (el) {
    if (el.dataset.complete) {
      var before = el.value.slice(0, el.selectionStart), found = /[A-Za-z_][\w.[\]]*$/.exec(before);
      return found ? { from: before.length - found[0].length, to: el.selectionStart, text: found[0] } : { from: before.length, to: before.length, text: "" };
    }
    if (el.tagName === "TEXTAREA") {
      var start = el.value.lastIndexOf("\n", el.selectionStart - 1) + 1, end = el.value.indexOf("\n", start);
      if (end < 0) { end = el.value.length; }
      if (el.hasAttribute("data-entries")) {
        var colon = el.value.slice(start, end).indexOf(": ");
        if (colon < 0 || el.selectionStart < start + colon + 2) { return null; }
        start += colon + 2;
      }
      return { from: start, to: end, text: el.value.slice(start, end) };
    }
    return { from: 0, to: el.value.length, text: el.value };
  };
  var take = function (o) {
    var el = box.el, w = box.word, key = rowOf(el).dataset.row;
    el.value = el.value.slice(0, w.from) + o.value + el.value.slice(w.to);
    var caret = w.from + o.value.length;
    if (el.setSelectionRange) { el.setSelectionRange(caret, caret); }
    var type = document.getElementById(key + ".type");
    if (o.type && type && el.name === key + ".target") { type.value = o.type; }
    close();
    changed(el);
  };
  var open = function (el, all) {
    var w = word(el);
    close();
    if (!w) { return; }
    var offers = offersOf(el.dataset.values || el.dataset.complete || el.dataset.list);
    if (el.dataset.complete) { offers = offers.concat(functionsOffered()); }
    var found = fits(offers, all ? "" : w.text);
    if (!found.length || !all && found.length === 1 && found[0].value === w.text) { return; }
    var list = document.createElement("ul");
    list.className = "offers";
    list.id = "offers";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
    found.slice(0, most).forEach(function (o, i) {
      var item = document.createElement("li"), top = document.createElement("span"), more = document.createElement("span");
      item.id = "offer-" + i;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      top.textContent = el.dataset.list === "crm-fields" && o.label ? o.label : o.name;
      more.className = "small";
      more.textContent = el.dataset.list === "crm-fields" ? (o.label !== o.name ? o.name + " · " : "") + o.about : (o.about && o.label ? o.about + ": " : o.about) + o.label;
      item.append(top, more);
      item.addEventListener("mousedown", function (e) { e.preventDefault(); take(o); });
      list.append(item);
    });
    if (found.length > most) {
      var rest = document.createElement("li");
      rest.className = "rest small";
      rest.setAttribute("role", "presentation");
      rest.textContent = found.length - most + " more: type a part of the name";
      list.append(rest);
    }
    var at = el.getBoundingClientRect();
    document.body.append(list);
    list.style.left = at.left + window.scrollX + "px";
    list.style.top = at.bottom + window.scrollY + "px";
    list.style.width = Math.min(Math.max(at.width, 260), document.documentElement.clientWidth - at.left - 8) + "px";
    box = { el: el, list: list, at: -1, word: w, found: found };
    if (el.tagName === "INPUT") { el.setAttribute("aria-expanded", "true"); }
    el.setAttribute("aria-controls", "offers");
  };
  var offering = function (el) { return el.matches && el.matches("[data-choose], [data-complete], [data-values]") ? el : null; };
  form.addEventListener("focusin", function (e) {
    var el = offering(e.target);
    if (!el || el.dataset.ready) { return; }
    el.dataset.ready = "1";
    if (el.list) { el.dataset.list = el.getAttribute("list"); el.removeAttribute("list"); }
    if (el.tagName === "INPUT") { el.setAttribute("role", "combobox"); }
    el.setAttribute("aria-autocomplete", "list");
    if (el.tagName === "INPUT") { el.setAttribute("aria-expanded", "false"); }
  });
  form.addEventListener("input", function (e) {
    var el = offering(e.target);
    if (!el || !e.isTrusted) { return; }
    var w = word(el);
    if (el.dataset.complete && (!w || !w.text)) { close(); return; }
    open(el, false);
  });
  form.addEventListener("keydown", function (e) {
    var el = offering(e.target);
    if (!el || e.altKey) { return; }
    var single = el.tagName === "INPUT";
    if (!box && (single && (e.key === "ArrowDown" || e.key === "ArrowUp") || e.key === " " && e.ctrlKey)) { e.preventDefault(); open(el, !el.dataset.complete); if (box) { select(0); } return; }
    if (!box) { return; }
    if (e.key === "ArrowDown") { e.preventDefault(); select(box.at + 1); }
    else if (e.key === "ArrowUp") { e.preventDefault(); select(box.at < 0 ? -1 : box.at - 1); }
    else if (e.key === "Escape") { e.preventDefault(); close(); }
    else if ((e.key === "Enter" || e.key === "Tab") && box.at >= 0) { if (e.key === "Enter") { e.preventDefault(); } take(box.found[box.at]); }
    else if (e.key === "Tab" || e.key === "Enter") { close(); }
  }, true);
  form.addEventListener("click", function (e) { var el = offering(e.target); if (el && !box && el.tagName === "INPUT" && el.hasAttribute("data-choose")) { open(el, true); } });
  form.addEventListener("focusout", close);
  window.addEventListener("resize", close);
  dress();
})();
