package flow

import (
	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/poller"
)

// request is a flow's wish for a server, with the mail that tells of its grant. A flow has one while it asks and while it
// waits; one that had to wait keeps it for its log line. The others need it for a moment only, so it is no part of them.
// The flow's loop owns it, but for the backend.Request while that waits.
type request struct {
	backend.Request
	flow *Flow
	mail poller.Mail
	next *request // recycled
}

// ask gives the flow's request as it is put to the backend.
func (f *Flow) ask() *request {
	r, l := f.request, f.loop
	if r != nil {
		return r
	}
	if r = l.requests; r != nil {
		l.requests = r.next
	} else {
		r = new(request)
	}
	r.flow, r.mail.To, r.next = f, f, nil
	r.Request = backend.Request{
		Waiter: r,
		Source: f.source.Addr(),
		Port:   f.source.Port(),
		Loop:   l.ID,
		Now:    f.headerEnd,
		Class:  f.bind.Tenant.class(f.frontend.Process, f.frontend.Class),
		Offset: f.frontend.Offset,
		Server: f.slot,
	}
	f.request = r
	return r
}

// answered takes the outcome of a request that waits no more.
func (f *Flow) answered() {
	f.slot = f.request.Server
	if !f.request.Queued {
		f.putRequest()
	}
}

func (f *Flow) putRequest() {
	if r := f.request; r != nil {
		r.flow, r.next = nil, f.loop.requests
		f.loop.requests, f.request = r, nil
	}
}

// releaseSlot ends what the flow's admission began; its slot goes to the next waiter.
func (f *Flow) releaseSlot() {
	if f.admitted {
		f.admitted = false
		f.backend.Release(&f.ask().Request)
		f.slot = nil
	}
}

// Granted is called by the backend, on any loop: the word is passed on to the flow's own.
func (r *request) Granted() { r.flow.loop.Post(&r.mail) }
