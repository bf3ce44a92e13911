"""The KerasTuner side of kerashw, and the only place that imports keras_tuner; `tuning.studies` holds the studies."""
