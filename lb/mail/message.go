package mail

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// message is one alert.
type message struct {
	text   string // printable ASCII
	at     time.Time
	number uint64
}

// subject begins every subject. It is HAProxy's: rules that sort mail, and wake people, look for it, and an alert that nobody
// sees because the program in front of the servers was exchanged is what must not happen. The header X-Mailer says who sent it.
const subject = "[HAProxy Alert] "

// maxText bounds an alert: a line has at most 998 bytes (RFC 5322, 2.1.1), and the subject is one.
const maxText = 900

// printable makes a text fit for a header: without its full stop, as HAProxy sends it, each byte that is not printable ASCII
// as #XX, as in the log, and no longer than a line may be. A server's answer to a check may be part of the text.
func printable(text string) string {
	text = strings.TrimSuffix(text, ".")
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if b.Len() >= maxText {
			b.WriteString("...")
			break
		}
		if c := text[i]; c < ' ' || c > '~' {
			fmt.Fprintf(&b, "#%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// dateLayout is HAProxy's form of a date, which is one of RFC 5322, 3.3.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 -0700 (MST)"

// format gives the message as it follows DATA. RFC 3834, 5: "Auto-Submitted" keeps answering machines from answering.
func (m message) format(o *Options) []byte {
	var b strings.Builder
	for _, line := range []string{
		"From: " + o.From,
		"To: " + o.To,
		"Date: " + m.at.UTC().Format(dateLayout),
		"Subject: " + subject + m.text,
		fmt.Sprintf("Message-ID: <%d.%d.%d@%s>", m.at.UnixNano(), os.Getpid(), m.number, o.Hostname),
		"Auto-Submitted: auto-generated",
		"X-Mailer: " + o.Program,
		"",
		m.text,
		"",
	} {
		b.WriteString(line)
		b.WriteString("\r\n")
	}
	return []byte(b.String())
}
