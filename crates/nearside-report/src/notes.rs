//! What every document says beside its numbers: what words mean, where formulas come from, what is left out.

/// Headings and what stands below them.
pub(crate) const NOTES: [(&str, &[&str]); 4] = [
    (
        "How to use it",
        &[
            "Change framed cells on Inputs and Sensitivity. Nothing else needs to be touched; nothing is locked.",
            "Formulas call inputs by the names in the last column of Inputs (far1_... is the first alternative, far2_... the second).",
            "LibreOffice shows stored results when it opens the file; if you change the file with another program, recalculate with Ctrl+Shift+F9.",
            "\"never\": it does not come to that. \"none\": the flows never change their sign. \"several\": they change it more than once, so no rate of return is meant. \"no use\": nothing is done in an hour. \"all hours are paid\": a commitment is paid whether used or not, so no number of hours changes it.",
        ],
    ),
    (
        "What each kind of basis means",
        &[
            "measured: by the program on the machine itself.",
            "published: stated by you or by the named source, at its date.",
            "derived: computed from other values, as the source says.",
            "assumed: our own assumption, with the reason; replace it where you know better.",
        ],
    ),
    (
        "Where the formulas come from",
        &[
            "Net present value, annuity, internal rate of return, payback: engineering economics, as in any textbook.",
            "MACRS depreciation: IRS Publication 946, appendix A, tables A-1, A-2 and A-5 (five-year property).",
            "Work lost to interruptions: J. W. Young, A first order approximation to the optimum checkpoint interval, 1974.",
            "Emissions: electricity by location average; a share of making the machine as in Software Carbon Intensity (ISO/IEC 21031).",
            "A month has 730 hours, the mean of a year.",
        ],
    ),
    (
        "What is not counted",
        &[
            "Setting work up anew on another machine, moving data there, and waiting for a machine to be free.",
            "What a shortage, a failure or an outage costs; what data may not leave the house.",
            "Sales tax, investment grants, and taxes other than on profit.",
            "What else the machine could be used for in its free hours.",
            "Emissions of an alternative, where its power or the share of making it is not stated.",
        ],
    ),
];
