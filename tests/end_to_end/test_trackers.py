"""Weights & Biases and MLflow take what a run logs, without a network, where their packages are installed."""

import pytest
from mmengine.config import Config
from mmengine.registry import VISBACKENDS


def log_to(backend):
    """What a run does: its config first, then numbers of two steps."""
    backend.add_config(Config({'model': {'type': 'FALSE', 'queue_len': 640}}))
    for step, loss in ((1, 4.5), (2, 3.25)):
        backend.add_scalars({'loss': loss, 'probe/knn': 80.0}, step=step)


@pytest.mark.slow
def test_weights_and_biases_offline(monkeypatch, tmp_path):
    pytest.importorskip('wandb', reason='pip install wandb')
    monkeypatch.setenv('WANDB_MODE', 'offline')
    monkeypatch.chdir(tmp_path)
    backend = VISBACKENDS.build(
        dict(type='WandbVisBackend', save_dir=str(tmp_path / 'vis_data'), init_kwargs=dict(project='false'))
    )
    log_to(backend)
    assert backend.experiment.run.summary['loss'] == 3.25
    assert backend.experiment.run.config['model']['queue_len'] == 640
    backend.close()
    (kept,) = (tmp_path / 'vis_data' / 'wandb').glob('offline-run-*/run-*.wandb')
    assert kept.stat().st_size > 0


@pytest.mark.slow
def test_mlflow_without_a_server(monkeypatch, tmp_path):
    mlflow = pytest.importorskip('mlflow', reason='pip install mlflow')
    monkeypatch.chdir(tmp_path)
    uri = f'sqlite:///{tmp_path}/mlflow.db'
    settings = dict(save_dir=str(tmp_path / 'vis_data'), exp_name='false', tracking_uri=uri)
    log_to(VISBACKENDS.build(dict(type='MLflowVisBackend', **settings)))
    (run,) = mlflow.search_runs(experiment_names=['false'], output_format='list')
    mlflow.end_run()
    assert run.data.metrics == {'loss': 3.25, 'probe/knn': 80.0}
    assert run.data.params['model.queue_len'] == '640'
    history = mlflow.MlflowClient(uri).get_metric_history(run.info.run_id, 'loss')
    assert [(entry.step, entry.value) for entry in history] == [(1, 4.5), (2, 3.25)]
