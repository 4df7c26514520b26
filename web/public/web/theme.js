// Runs before the first paint, so that a chosen theme does not flash. Without a choice the system decides.
try {
  const { theme } = JSON.parse(localStorage.getItem("hubbub:settings") ?? "{}");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage, or not ours: the system decides.
}
