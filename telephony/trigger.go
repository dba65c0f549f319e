package telephony

import "github.com/callsync/callsync/call"

// Trigger is one kind of request that a phone system sends. Several may share a hook URL.
type Trigger struct {
	// Event is what a Sampler makes the request by, and what it is called in the API.
	Event string `json:"event"`
	Label string `json:"label"`
	// Hook is the event of the hook URL it is sent to; empty where one URL serves all.
	Hook string `json:"hook,omitempty"`
	// Kinds are those of the events that its requests are read as. They tell triggers apart that share a hook URL.
	Kinds []call.Kind `json:"kinds"`
	// Story names the record that a sample is about: samples of one story and one moment are about the same call.
	Story Story `json:"story"`
	// Sample tells that a Sampler can make one up.
	Sample bool `json:"sample"`
	// VariantOf is the event of the trigger that this one is another form of (in another encoding, or of a call of another
	// kind); empty for a trigger of its own.
	VariantOf string `json:"variant_of,omitempty"`
}

// Story is what a sample is about.
type Story string

// The stories.
const (
	InboundStory  Story = "inbound"
	OutboundStory Story = "outbound"
	MessageStory  Story = "message"
	FormStory     Story = "form"
	// NoStory is that of a request that is about nothing, such as a ping.
	NoStory Story = "none"
)

// Trigger finds a trigger by its event.
func (i Info) Trigger(event string) (Trigger, bool) {
	for _, t := range i.Triggers {
		if t.Event == event {
			return t, true
		}
	}
	return Trigger{}, false
}

// StoryOf lists the triggers of one story that have samples, in their order, and each in one form.
func (i Info) StoryOf(story Story) []Trigger {
	var out []Trigger
	for _, t := range i.Triggers {
		of, _ := i.Trigger(t.VariantOf)
		if t.Story == story && t.Sample && of.Story != story {
			out = append(out, t)
		}
	}
	return out
}
