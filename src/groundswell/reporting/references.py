"""The section of references: whose methods these are."""

from __future__ import annotations

from groundswell.reporting.blocks import Section, Table

_REFERENCES = (
    (
        "the model",
        "Sanh, Debut, Chaumond, Wolf",
        "2019",
        "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter",
        "arXiv:1910.01108",
    ),
    (
        "the packaged encoder",
        "Wang, Wei, Dong, Bao, Yang, Zhou",
        "2020",
        "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained Transformers",
        "NeurIPS, arXiv:2002.10957",
    ),
    ("adapters", "Hu and others", "2022", "LoRA: Low-Rank Adaptation of Large Language Models", "ICLR, arXiv:2106.09685"),
    ("the lexicon", "Hutto, Gilbert", "2014", "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text", "ICWSM"),
    ("word vectors", "Mikolov, Chen, Corrado, Dean", "2013", "Efficient Estimation of Word Representations in Vector Space", "arXiv:1301.3781"),
    ("word vectors", "Bojanowski, Grave, Joulin, Mikolov", "2017", "Enriching Word Vectors with Subword Information", "TACL 5"),
    ("document vectors", "Le, Mikolov", "2014", "Distributed Representations of Sentences and Documents", "ICML"),
    ("recurrent networks", "Hochreiter, Schmidhuber", "1997", "Long Short-Term Memory", "Neural Computation 9(8)"),
    ("the measure of the field", "Rosenthal, Farra, Nakov", "2017", "SemEval-2017 Task 4: Sentiment Analysis in Twitter", "SemEval"),
    (
        "the benchmark",
        "Barbieri, Camacho-Collados, Espinosa Anke, Neves",
        "2020",
        "TweetEval: Unified Benchmark and Comparative Evaluation for Tweet Classification",
        "Findings of EMNLP",
    ),
    ("intervals", "Efron, Tibshirani", "1993", "An Introduction to the Bootstrap", "Chapman & Hall"),
    (
        "few disagreements",
        "Agresti, Min",
        "2005",
        "Simple improved confidence intervals for comparing matched proportions",
        "Statistics in Medicine 24(5)",
    ),
    (
        "paired test",
        "McNemar",
        "1947",
        "Note on the sampling error of the difference between correlated proportions or percentages",
        "Psychometrika 12(2)",
    ),
    (
        "its mid-p",
        "Fagerland, Lydersen, Laake",
        "2013",
        "The McNemar test for binary matched-pairs data: mid-p and asymptotic are better than exact conditional",
        "BMC Medical Research Methodology 13",
    ),
    ("several tests", "Holm", "1979", "A Simple Sequentially Rejective Multiple Test Procedure", "Scandinavian Journal of Statistics 6(2)"),
    ("temperature", "Guo, Pleiss, Sun, Weinberger", "2017", "On Calibration of Modern Neural Networks", "ICML"),
    ("calibration error", "Naeini, Cooper, Hauskrecht", "2015", "Obtaining Well Calibrated Probabilities Using Bayesian Binning", "AAAI"),
    ("behaviour", "Ribeiro, Wu, Guestrin, Singh", "2020", "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", "ACL"),
    (
        "telling words",
        "Monroe, Colaresi, Quinn",
        "2008",
        "Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the Content of Political Conflict",
        "Political Analysis 16(4)",
    ),
    ("near duplicates", "Broder", "1997", "On the resemblance and containment of documents", "Compression and Complexity of Sequences"),
    ("drift of shares", "Lin", "1991", "Divergence measures based on the Shannon entropy", "IEEE Transactions on Information Theory 37(1)"),
    ("tuning", "Akiba, Sano, Yanase, Ohta, Koyama", "2019", "Optuna: A Next-generation Hyperparameter Optimization Framework", "KDD"),
    ("what is tried next", "Bergstra, Bardenet, Bengio, Kégl", "2011", "Algorithms for Hyper-Parameter Optimization", "NeurIPS"),
    (
        "importance of hyperparameters",
        "Watanabe, Bansal, Hutter",
        "2023",
        "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces",
        "IJCAI",
    ),
    ("model cards", "Mitchell and others", "2019", "Model Cards for Model Reporting", "FAT*"),
)


def section() -> Section:
    """The section."""
    headings = ("for", "by", "year", "title", "in")
    return Section("References", (Table("Sources of the methods", headings, _REFERENCES, "the methods' own papers"),))
