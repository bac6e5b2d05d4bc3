package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/result"
)

// colours of subjects, by their order (Okabe and Ito's, which the colour-blind can tell apart).
var colours = []color.Color{
	color.RGBA{0, 0, 0, 255}, color.RGBA{0, 114, 178, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{213, 94, 0, 255},
	color.RGBA{0, 158, 115, 255}, color.RGBA{204, 121, 167, 255}, color.RGBA{230, 159, 0, 255}, color.RGBA{128, 128, 128, 255},
}

func colourOf(f *result.File, subject string) color.Color {
	i := slices.IndexFunc(f.Subjects, func(s result.Subject) bool { return s.Name == subject })
	return colours[max(0, i)%len(colours)]
}

const plotWidth = 20 * vg.Centimeter

// newPlot is a plot in a font that browsers have.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	p.Title.Text = title
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		size := style.Font.Size
		style.Font = font.From(sans, size)
	}
	p.Title.Padding = vg.Points(8)
	p.Legend.Top, p.Legend.Padding, p.Legend.ThumbnailWidth = true, vg.Points(3), vg.Points(14)
	p.Legend.XOffs = -vg.Points(4)
	return p
}

func drawn(p *plot.Plot, height vg.Length) []byte {
	canvas := vgsvg.New(plotWidth, height)
	const margin = 0.4 * vg.Centimeter
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// plots draws what a scenario has: the CPU of one unit, or the latency.
func (p *part) plots(s *result.Scenario) error {
	if slices.Contains(s.Main, "cpu") && !slices.Contains(s.Main[:1], "p99") {
		p.plot(p.prefix+s.Name+"-cpu", "CPU per "+s.Unit, p.cpu(s))
	}
	if !slices.Contains(s.Main, "p99") {
		return nil
	}
	svg, err := p.latency(s)
	p.plot(p.prefix+s.Name+"-latency", "latency of "+s.Title, svg)
	return err
}

// cpu draws what a unit costs: in the balancer's user and kernel time, and in the rest of the machine.
func (p *part) cpu(s *result.Scenario) []byte {
	var names []string
	var parts [3]plotter.Values
	largest := 0.0
	for _, x := range slices.Backward(p.file.Subjects) { // from below
		machine := s.Values(x.Name, "machine")
		if len(machine) == 0 {
			continue
		}
		user, system := zero(result.Median(s.Values(x.Name, "cpu_user"))), zero(result.Median(s.Values(x.Name, "cpu_system")))
		all := result.Median(machine)
		largest = max(largest, all)
		names = append(names, x.Name)
		for i, v := range []float64{user, system, max(0, all-user-system)} {
			parts[i] = append(parts[i], v)
		}
	}
	if len(names) == 0 {
		return nil
	}
	unit := scaleFor(result.Nanoseconds, largest)
	picture := newPlot("CPU per " + s.Unit)
	picture.X.Label.Text = unit.unit + " per " + s.Unit
	picture.Add(plotter.NewGrid())
	var below *plotter.BarChart
	for i, title := range []string{"balancer, user", "balancer, system", "rest of the machine"} {
		for j := range parts[i] {
			parts[i][j] /= unit.factor
		}
		bars, err := plotter.NewBarChart(parts[i], 0.5*vg.Centimeter)
		if err != nil {
			return nil
		}
		bars.Horizontal, bars.LineStyle.Width = true, 0
		bars.Color = []color.Color{color.RGBA{0, 114, 178, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{210, 210, 210, 255}}[i]
		if below != nil {
			bars.StackOn(below)
		}
		below = bars
		picture.Add(bars)
		picture.Legend.Add(title, bars)
	}
	picture.X.Min, picture.X.Tick.Marker = 0, evenTicks{}
	picture.X.Max = 1.4 * largest / unit.factor // the legend is on the right
	picture.NominalY(names...)
	return drawn(picture, vg.Length(len(names))*vg.Centimeter+3*vg.Centimeter)
}

func zero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// latency draws the distribution of all runs that count together, the tail stretched: each step to the right is a tenth of the requests.
func (p *part) latency(s *result.Scenario) ([]byte, error) {
	picture := newPlot("latency")
	picture.X.Label.Text, picture.Y.Label.Text = "part of the requests that took no longer", "ms"
	picture.Legend.Left, picture.Legend.XOffs = true, vg.Points(4)
	picture.Add(plotter.NewGrid())
	drawnAny := false
	for _, x := range p.file.Subjects {
		if s.Latency[x.Name] == "" {
			continue
		}
		all := load.Latency{Histogram: s.Latency[x.Name]}
		h, err := all.Decode()
		if err != nil {
			return nil, fmt.Errorf("%s, %s: latency: %w", s.Name, x.Name, err)
		}
		var points plotter.XYs
		for nines := 0.0; nines <= 4 && math.Pow(10, nines) <= float64(h.TotalCount()); nines += 0.05 {
			q := 1 - math.Pow(10, -nines)
			points = append(points, plotter.XY{X: nines, Y: max(1e-3, float64(h.ValueAtQuantile(100*q))/1e6)})
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colourOf(p.file, x.Name), vg.Points(1.5)
		picture.Add(line)
		picture.Legend.Add(x.Name, line)
		drawnAny = true
	}
	if !drawnAny {
		return nil, nil
	}
	picture.Y.Scale, picture.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	picture.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 1, Label: "90 %"}, {Value: 2, Label: "99 %"}, {Value: 3, Label: "99.9 %"}, {Value: 4, Label: "99.99 %"}}
	return drawn(picture, 9*vg.Centimeter), nil
}

// forest draws each ratio with its interval.
func forest(f *result.File, reference string, balancers []string) []byte {
	picture := newPlot(fmt.Sprintf("ratio to %s, 95 %% interval (left of 1: less); what is beyond the scale is at its end", reference))
	picture.Add(plotter.NewGrid())
	var names []string
	rows := 0
	for i := range slices.Backward(f.Scenarios) { // from below
		names = append(names, f.Scenarios[i].Name)
	}
	step := 0.7 / float64(max(1, len(balancers)))
	for k, b := range balancers {
		var middle plotter.XYs
		var errors plotter.XErrors
		for i := range f.Scenarios {
			s := &f.Scenarios[i]
			r := s.Ratio(b, reference, s.Main[0])
			if r.Pairs == 0 || math.IsInf(r.Value, 0) || r.Value <= 0 || r.Low <= 0 {
				continue
			}
			y := float64(len(f.Scenarios)-1-i) + 0.35 - step*(float64(k)+0.5)
			value, low, high := within(r.Value), within(r.Low), within(r.High)
			middle = append(middle, plotter.XY{X: value, Y: y})
			errors = append(errors, struct{ Low, High float64 }{value - low, high - value})
			rows++
		}
		if len(middle) == 0 {
			continue
		}
		points, err := plotter.NewScatter(middle)
		if err != nil {
			return nil
		}
		points.GlyphStyle = draw.GlyphStyle{Color: colourOf(f, b), Radius: vg.Points(2.5), Shape: draw.CircleGlyph{}}
		bars, err := plotter.NewXErrorBars(struct {
			plotter.XYer
			plotter.XErrorer
		}{middle, errors})
		if err != nil {
			return nil
		}
		bars.LineStyle.Color = colourOf(f, b)
		bars.CapWidth = vg.Points(3)
		picture.Add(bars, points)
		picture.Legend.Add(b, points)
	}
	if rows == 0 {
		return nil
	}
	top := float64(len(f.Scenarios)) - 0.5
	one, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.5}, {X: 1, Y: top}})
	if err != nil {
		return nil
	}
	one.Color = color.Gray{100}
	picture.Add(one)
	picture.X.Scale, picture.X.Tick.Marker = plot.LogScale{}, ratioTicks{}
	picture.X.Min, picture.X.Max = leastRatio, mostRatio
	picture.Y.Min, picture.Y.Max = -0.5, top
	picture.NominalY(names...)
	picture.Y.Min, picture.Y.Max = -0.5, top
	return drawn(picture, vg.Length(len(names))*1.1*vg.Centimeter+3*vg.Centimeter)
}

// leastRatio and mostRatio are the ends of the scale of ratios. A few that lie far out would hide the differences of the others.
const leastRatio, mostRatio = 0.2, 3.5

func within(ratio float64) float64 { return min(max(ratio, leastRatio), mostRatio) }

// ratioTicks are marks on a logarithmic scale where people look for them.
type ratioTicks struct{}

func (ratioTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	for _, v := range []float64{0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 3} {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprint(v)})
	}
	return ticks
}

// evenTicks are marks at about six round values.
type evenTicks struct{}

func (evenTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/3)))
	for (high-low)/step > 8 {
		step *= 2
	}
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: digits(i * step)})
	}
	return ticks
}
