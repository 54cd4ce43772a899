# Written by `python -m erya.catalog`; a test compares.
from erya.calibrated import Calibrated as Calibrated
from erya.foreign_classifier import FastTextFile as FastTextFile
from erya.models.fasttext.estimator import FastText as FastText
from erya.models.gbdt.estimator import GBDT as GBDT
from erya.models.knn.estimator import KNN as KNN
from erya.models.logistic_regression.estimator import LogisticRegression as LogisticRegression
from erya.models.lstm.estimator import LSTM as LSTM
from erya.models.naive_bayes.estimator import NaiveBayes as NaiveBayes
from erya.models.svm.estimator import LinearSVM as LinearSVM
from erya.models.textcnn.estimator import TextCNN as TextCNN
