package train

import "fmt"

// capture returns a checkpoint of the moment between two steps.
func (t *Trainer) capture() (*checkpoint, error) {
	if err := t.readLosses(); err != nil {
		return nil, err
	}
	header, err := t.predictor.Metadata()
	if err != nil {
		return nil, err
	}
	weights, err := t.model.copyWeights()
	if err != nil {
		return nil, err
	}
	optimizer, err := t.optimizer.State()
	if err != nil {
		return nil, err
	}
	sampler, err := t.sampler.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return &checkpoint{header: string(header), weights: weights, best: t.best, optimizer: optimizer, training: trainingState{
		Epochs: len(t.history.Epochs), Step: t.progress.Step, LossSum: t.lossSum, LossRows: t.lossRows,
		BestEpoch: t.progress.BestEpoch, BestScore: t.score, Reference: t.reference, Waited: t.waited, Sampler: sampler,
	}}, nil
}

// restore goes on from a checkpoint of the same training, with the history of
// the epochs that it has finished.
func (t *Trainer) restore(c *checkpoint, h *History) error {
	header, err := t.predictor.Metadata()
	if err != nil {
		return err
	}
	if c.header != string(header) {
		return fmt.Errorf("the checkpoint is of another model, or the data have changed: it has %s, want %s", c.header, header)
	}
	s := &c.training
	if s.Epochs > t.config.Epochs {
		return fmt.Errorf("epochs is %d, but %d are done", t.config.Epochs, s.Epochs)
	}
	if len(h.Epochs) < s.Epochs {
		return fmt.Errorf("the history has %d epochs, the checkpoint %d", len(h.Epochs), s.Epochs)
	}
	if c.best != nil { // SetWeights says what of them is wrong
		if err := t.model.SetWeights(c.best); err != nil {
			return fmt.Errorf("best weights: %w", err)
		}
	}
	if err := t.model.SetWeights(c.weights); err != nil {
		return err
	}
	if err := t.sampler.UnmarshalBinary(s.Sampler); err != nil {
		return err
	}
	g, err := t.model.trainingGraph(min(t.config.Batch, t.trainRows))
	if err != nil {
		return err
	}
	if err := t.optimizer.LoadState(c.optimizer, g.params.ValueGrads()); err != nil {
		return err
	}
	t.history.Epochs = h.Epochs[:s.Epochs:s.Epochs]
	t.lossSum, t.lossRows = s.LossSum, s.LossRows
	t.best, t.score, t.reference, t.waited = c.best, s.BestScore, s.Reference, s.Waited
	p := &t.progress
	p.Step, p.EpochStep, p.BestEpoch = s.Step, t.sampler.Batch(), s.BestEpoch
	p.Epoch = min(s.Epochs+1, t.config.Epochs)
	if s.Epochs > 0 {
		t.clock.before = h.Epochs[s.Epochs-1].Wall
	}
	return nil
}
