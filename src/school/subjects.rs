//! What is taught in Moroccan schools, so that nobody has to type it; and what somebody means who does.

use std::collections::BTreeMap;

use qism_signaling::protocol::snapshot::Localized;
use uuid::Uuid;

use super::NewAccountError;
use crate::storage::Subject;

/// In Arabic, French and English.
const USUAL: [[&str; 3]; 21] = [
    ["الرياضيات", "Mathématiques", "Mathematics"],
    ["اللغة الفرنسية", "Français", "French"],
    ["الفيزياء والكيمياء", "Physique-chimie", "Physics and chemistry"],
    ["علوم الحياة والأرض", "Sciences de la vie et de la Terre", "Life and Earth sciences"],
    ["اللغة العربية", "Arabe", "Arabic"],
    ["اللغة الأمازيغية", "Amazighe", "Amazigh"],
    ["اللغة الإنجليزية", "Anglais", "English"],
    ["اللغة الإسبانية", "Espagnol", "Spanish"],
    ["التربية الإسلامية", "Éducation islamique", "Islamic education"],
    ["الاجتماعيات", "Histoire-géographie", "History and geography"],
    ["الفلسفة", "Philosophie", "Philosophy"],
    ["الترجمة", "Traduction", "Translation"],
    ["النشاط العلمي", "Éveil scientifique", "Science activities"],
    ["المعلوميات", "Informatique", "Computer science"],
    ["التكنولوجيا الصناعية", "Technologie industrielle", "Industrial technology"],
    ["علوم المهندس", "Sciences de l’ingénieur", "Engineering sciences"],
    ["الاقتصاد والتدبير", "Économie et gestion", "Economics and management"],
    ["التربية الأسرية", "Éducation familiale", "Family education"],
    ["التربية التشكيلية", "Arts plastiques", "Visual arts"],
    ["التربية الموسيقية", "Éducation musicale", "Music"],
    ["التربية البدنية", "Éducation physique", "Physical education"],
];

pub fn usual_subjects() -> impl Iterator<Item = Localized> {
    USUAL.into_iter().map(|[ar, fr, en]| Localized { ar: ar.into(), fr: fr.into(), en: en.into() })
}

/// By its name in any language of the school.
pub fn subject_named<'a>(subjects: &'a [Subject], wanted: &str) -> Result<&'a Subject, NewAccountError> {
    let folded = wanted.trim().to_lowercase();
    let is =
        |name: &Localized| [&name.ar, &name.fr, &name.en].iter().any(|name| name.to_lowercase() == folded);
    subjects.iter().find(|subject| is(&subject.name)).ok_or_else(|| {
        let known: Vec<&str> = subjects.iter().map(|subject| subject.name.fr.as_str()).collect();
        NewAccountError::UnknownSubject { wanted: wanted.to_owned(), known: known.join(", ") }
    })
}

pub fn class_named(classes: &BTreeMap<String, Uuid>, wanted: &str) -> Result<Uuid, NewAccountError> {
    classes.get(wanted.trim()).copied().ok_or_else(|| {
        let known: Vec<&str> = classes.keys().map(String::as_str).collect();
        NewAccountError::UnknownClass { wanted: wanted.to_owned(), known: known.join(", ") }
    })
}
