# Written by `python -m erya.catalog`; a test compares.
from erya.mixture import Mixture as Mixture
from erya.models.gpt.estimator import GPT as GPT
from erya.models.gru.language import GRULanguageModel as GRULanguageModel
from erya.models.lstm.language import LSTMLanguageModel as LSTMLanguageModel
from erya.models.ngram.estimator import NGram as NGram
from erya.models.nnlm.estimator import NNLM as NNLM
from erya.models.rnn.language import RNNLanguageModel as RNNLanguageModel
