package activities

import "context"

// Delivery holds the activities that deliver calls. Its fields are set once, before the worker starts.
type Delivery struct{}

// Deliver brings one lane of a call up to date. See DeliverInput.
func (a *Delivery) Deliver(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	panic("being written")
}
