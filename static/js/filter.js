// Puts a field above a long list of checkboxes that leaves those whose labels contain what is typed.
for (const list of document.querySelectorAll("div.filtered")) {
  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = search.ariaLabel = gettext("Filter"); // of the admin's own catalog
  list.prepend(search);
  search.addEventListener("input", () => {
    const typed = search.value.trim().toLowerCase();
    for (const label of list.querySelectorAll("label:has(input)")) {
      label.parentElement.hidden = !label.textContent.toLowerCase().includes(typed);
    }
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault(); // it filters, and sends nothing
  });
}
