# Written by `python -m erya.catalog`; a test compares.
from erya.models.bilstm.estimator import BiLSTM as BiLSTM
from erya.models.bilstm_crf.estimator import BiLSTMCRF as BiLSTMCRF
from erya.models.crf.estimator import CRF as CRF
from erya.models.hmm.estimator import HMM as HMM
from erya.models.perceptron.estimator import Perceptron as Perceptron
