# Written by `python -m erya.catalog`; a test compares.
from erya.models.cooccurrence.estimator import Cooccurrence as Cooccurrence
from erya.models.fasttext.vectors import FastTextVectors as FastTextVectors
from erya.models.glove.estimator import GloVe as GloVe
from erya.models.word2vec.estimator import Word2Vec as Word2Vec
from erya.parts.keyed_vectors import KeyedVectors as KeyedVectors
