package telephony

import (
	"github.com/callsync/callsync/call"
)

// The settings of a source by which an administrator says which artifacts to wait for. Every provider offers them (see
// ExpectationFields) and ExpectationsOf reads them.
const (
	ConfigExpectRecording     = "expect_recording"
	ConfigExpectTranscription = "expect_transcription"
	ConfigExpectDisposition   = "expect_disposition"
)

// ExpectationsOf tells which artifacts a source waits for: what its provider usually sends, unless config says otherwise.
// A setting that is neither yes nor no counts as not made.
func ExpectationsOf(info Info, config map[string]string) call.Expectations {
	want := info.Expects
	for name, to := range map[string]*bool{
		ConfigExpectRecording: &want.Recording, ConfigExpectTranscription: &want.Transcription, ConfigExpectDisposition: &want.Disposition,
	} {
		if v, ok := parseBool(config[name]); ok {
			*to = v
		}
	}
	return want
}

// ExpectationFields are the settings that ExpectationsOf reads, with the provider's usual artifacts as defaults.
func ExpectationFields(usual call.Expectations) []Field {
	field := func(name, label, help string, on bool) Field {
		f := Field{Name: name, Label: label, Help: help, Default: "false", Options: []string{"true", "false"}}
		if on {
			f.Default = "true"
		}
		return f
	}
	return []Field{
		field(ConfigExpectRecording, "Wait for the recording",
			"Answered calls and voicemails wait for their recording until the window ends. Choose false if calls are not recorded.", usual.Recording),
		field(ConfigExpectTranscription, "Wait for the transcription",
			"Answered calls and voicemails wait for their transcription until the window ends. Choose true only if calls are transcribed.", usual.Transcription),
		field(ConfigExpectDisposition, "Wait for the disposition",
			"Every call waits for an agent's disposition until the window ends. Choose true only if agents always set one.", usual.Disposition),
	}
}
