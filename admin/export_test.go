package admin

// PagePatterns are the patterns of all pages, for tests that must forget none.
func (h *Handler) PagePatterns() []string { return h.patterns }
