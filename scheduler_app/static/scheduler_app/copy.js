/* Has each <button class="copy" data-copy="id"> copy the text of that element's <pre> parts. Without
   this script, or without a clipboard, the buttons are not shown. */
"use strict";
(() => {
    if (!navigator.clipboard) return;
    document.documentElement.classList.add("can-copy");
    document.addEventListener("click", async (event) => {
        const button = event.target.closest("button.copy");
        const source = button && document.getElementById(button.dataset.copy);
        if (!source) return;
        const parts = source.matches("pre") ? [source] : [...source.querySelectorAll("pre")];
        await navigator.clipboard.writeText(parts.map((part) => part.textContent).join(""));
        button.classList.add("copied");
        setTimeout(() => button.classList.remove("copied"), 1500);
    });
})();
