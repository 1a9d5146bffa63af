/* Keeps parts of a page up to date, without a line of script in the page itself:

     <section id="running" data-live="?part=now" data-live-every="5">...</section>
     <p data-live-problem role="status" hidden>The server does not answer.</p>

   Each such element is replaced inside by the element of the same id in the page at its address,
   every so many seconds (default: 5), but not while the page is hidden, nor while a person types in
   it or has selected text in it. The focus, what was typed, opened <details> and scrolled elements with
   an id stay as they are. While an address does not answer, data-live-problem is shown. A part that
   comes with data-live="" (say, of a run that has ended) is not asked for again, and one that comes
   with another data-live-every (say, because it was expensive) is asked for less often. */
"use strict";
(() => {
    const failing = new Set();
    const within = (element, list) => [...element.querySelectorAll(list)];
    const focusable = "a[href], button, input, select, textarea, summary";

    function isBusy(element) {
        const typing = element.contains(document.activeElement) && document.activeElement.matches("input:not([type=submit]), select, textarea");
        const selection = document.getSelection();
        return typing || (!selection.isCollapsed && selection.containsNode(element, true));
    }

    function replace(element, fresh) {
        const open = new Set(within(element, "details[id][open]").map((each) => each.id));
        const known = new Set(within(element, "details[id]").map((each) => each.id));
        const scrolled = within(element, "[id]").map((each) => [each.id, each.scrollTop, each.scrollLeft]);
        const typed = within(element, "textarea[id]").filter((each) => each.value !== each.defaultValue);
        const focus = within(element, focusable).indexOf(document.activeElement);
        const same = focus >= 0 && document.activeElement.outerHTML;
        element.replaceChildren(...fresh.childNodes);
        Object.assign(element.dataset, fresh.dataset);
        within(element, "details[id]").forEach((each) => { if (known.has(each.id)) each.open = open.has(each.id); });
        typed.forEach(({ id, value }) => { const field = document.getElementById(id); if (field) field.value = value; });
        scrolled.forEach(([id, top, left]) => document.getElementById(id)?.scrollTo(left, top));
        const targets = focus >= 0 ? within(element, focusable) : [];
        (targets.find((each) => each.outerHTML === same) ?? targets[focus])?.focus({ preventScroll: true });
    }

    async function refresh(element) {
        const address = element.dataset.live;
        try {
            const headers = { "X-Requested-With": "XMLHttpRequest" };
            const answer = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(15000) });
            const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(element.id);
            if (!fresh) throw new Error(`${address} has no #${element.id}`);
            failing.delete(element.id);
            if (!isBusy(element)) replace(element, fresh);
        } catch {
            failing.add(element.id);
        }
        document.querySelectorAll("[data-live-problem]").forEach((each) => { each.hidden = failing.size === 0; });
    }

    function follow(element) {
        const pause = () => 1000 * (Number(element.dataset.liveEvery) || 5) * (failing.has(element.id) ? 2 : 1);
        let timer = 0, asking = false;
        async function look() {
            clearTimeout(timer);
            if (document.hidden || asking || !element.dataset.live) return;
            asking = true;
            await refresh(element);
            asking = false;
            timer = setTimeout(look, pause());
        }
        document.addEventListener("visibilitychange", look);
        timer = setTimeout(look, pause());
    }

    addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-live]").forEach(follow));
})();
