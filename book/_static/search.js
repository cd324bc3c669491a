// The page of results: type on in the field.
document.querySelector("form.bd-search input")?.select();
