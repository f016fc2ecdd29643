"""Policy packs: the rules that audits judge by."""
