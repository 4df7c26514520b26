"""The web app in Chromium on a workspace of 200 conversations and 10,000 messages, against budgets."""
